"""TensorFlow as a tf.function, in fp32: serving_tensorflow.py TASK_FILE"""
import sys

import tensorflow as tf

from serving import SenetDnn, Task, serve

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
task = Task(sys.argv[1])


def load():
    weights = SenetDnn(task)
    table, offsets = tf.constant(weights.table), tf.constant(weights.offsets)
    w1, b1, w2, b2 = map(tf.constant, weights.gates)
    layers = [(tf.constant(w), tf.constant(b)) for w, b in weights.layers]
    heads_w, heads_b = map(tf.constant, weights.heads)
    fields, size = len(task.fields), weights.table.shape[1]

    @tf.function(input_signature=[tf.TensorSpec([task.candidates, fields], tf.int32)])
    def infer(ids):
        e = tf.gather(table, ids + offsets)
        gates = 2 * tf.sigmoid(tf.nn.relu(tf.reduce_mean(e, 2) @ w1 + b1) @ w2 + b2)
        x = tf.reshape(e * gates[:, :, None], [-1, fields * size])
        for w, b in layers:
            x = tf.nn.relu(x @ w + b)
        p = tf.sigmoid(x @ heads_w + heads_b)
        return [tf.reduce_prod(tf.gather(p, columns, axis=1), 1) for columns in weights.tasks]

    def ready(request):
        ids = tf.constant(task.matrix(request))
        return lambda: [p.numpy() for p in infer(ids)]

    return ready


serve(task, f"TensorFlow {tf.__version__}", {"fp32, tf.function": load})
