import { assert } from '../../core/errors.ts';
import { byteCount, integer, message, type Pieces, text } from './wire.ts';

/** A graph's number types by ONNX's own codes. */
const dataTypes = { float32: 1, int32: 6, int64: 7 } as const;
type DataType = keyof typeof dataTypes;

const attributeTypes = { integer: 2, integers: 7 } as const;

/** The newest operators used are of opset 17 (2022), which every runtime of note reads. */
const opset = 17;
const irVersion = 8;

/** A node's settings: whole numbers and lists of them. */
export interface Attributes {
  readonly [name: string]: number | readonly number[];
}

/** Sizes of a tensor; a name stands for one known only when the graph runs. */
export type Dimensions = readonly (number | string)[];

/** An ONNX file, and where its numbers are too many for one, the file of numbers beside it. */
export interface OnnxFile {
  readonly model: Pieces;
  readonly data: Pieces | null;
}

export interface OnnxOptions {
  readonly name: string;
  /** For people: key and value. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The name of the file of numbers, as the model will look for it beside itself. */
  readonly dataName: string;
  /** Protobuf ends at 2 GiB: larger weights go to a file of their own. */
  readonly largestBytes?: number;
}

const protobufLimit = 2 ** 31 - 2 ** 24;

/** Weights of fewer bytes stay in the model in any case. */
const smallBytes = 1024;

/** Tensors in the file of numbers begin at multiples of a page, so that they can be mapped. */
const alignment = 4096;

interface Constant {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: DataType;
  readonly bytes: Uint8Array;
}

/**
 * Builds an ONNX graph node by node. Names are made here: `<label>/<operator>`, numbered where they repeat, which no
 * field's name can be.
 *
 * @see https://github.com/onnx/onnx/blob/main/docs/IR.md
 */
export class OnnxGraph {
  private readonly nodes: Pieces[] = [];
  private readonly constants = new Map<string, Constant>();
  private readonly inputs = new Map<string, Pieces>();
  private readonly outputs: Pieces[] = [];
  private readonly names = new Set<string>();

  /** Declares an input; again is no error. */
  input(name: string, type: DataType, dimensions: Dimensions): string {
    if (!this.inputs.has(name)) this.inputs.set(name, valueInfo(11, name, type, dimensions));
    return name;
  }

  hasInput(name: string): boolean {
    return this.inputs.has(name);
  }

  /** Names the graph's next output, which a node must have made under this name. */
  output(name: string, type: DataType, dimensions: Dimensions): void {
    assert(this.names.has(name), `onnx: nothing makes '${name}'`);
    this.outputs.push(valueInfo(12, name, type, dimensions));
  }

  /** A tensor of weights; the same name is the same tensor. */
  constant(name: string, shape: readonly number[], values: Float32Array | Int32Array | BigInt64Array): string {
    const full = `weights/${name}`;
    const size = shape.reduce((product, n) => product * n, 1);
    assert(values.length === size, `onnx: ${values.length} numbers of '${name}' for a shape of ${size}`);
    if (this.constants.has(full)) return full;
    const type = values instanceof Float32Array ? 'float32' : values instanceof Int32Array ? 'int32' : 'int64';
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    this.constants.set(full, { name: full, shape, type, bytes });
    return full;
  }

  /** A list of sizes or of axes, as operators take them. */
  integers(...values: readonly number[]): string {
    return this.constant(`integers ${values.join(',')}`, [values.length], BigInt64Array.from(values, BigInt));
  }

  scalar(value: number): string {
    return this.constant(`scalar ${value}`, [], Float32Array.of(value));
  }

  /** Adds a node and returns its output's name. */
  node(label: string, operator: string, inputs: readonly string[], attributes: Attributes = {}): string {
    const wanted = `${label}/${operator}`;
    let output = wanted;
    for (let i = 2; this.names.has(output); i++) output = `${wanted}.${i}`;
    return this.namedNode(output, operator, inputs, attributes);
  }

  /** Adds a node whose output the caller names: one of the graph's. */
  namedNode(output: string, operator: string, inputs: readonly string[], attributes: Attributes = {}): string {
    assert(!this.names.has(output) && !this.inputs.has(output), `onnx: '${output}' is made twice`);
    this.names.add(output);
    this.nodes.push(
      message(
        1,
        ...inputs.map((name) => text(1, name)),
        text(2, output),
        text(3, output),
        text(4, operator),
        ...Object.entries(attributes).map(([name, value]) => attribute(name, value)),
      ),
    );
    return output;
  }

  /** The graph as files: a model, and its numbers beside it where they would not fit. */
  finish({ name, metadata, dataName, largestBytes = protobufLimit }: OnnxOptions): OnnxFile {
    const constants = [...this.constants.values()];
    const apart = constants.reduce((sum, { bytes }) => sum + bytes.length, 0) > largestBytes;
    const data: Uint8Array[] = [];
    let offset = 0;
    const initializers = constants.map((constant) => {
      const { bytes } = constant;
      if (!apart || bytes.length < smallBytes) return tensor(constant, message(9, [bytes]));
      const padding = -bytes.length & (alignment - 1);
      data.push(bytes, new Uint8Array(padding));
      const entries = { location: dataName, offset: String(offset), length: String(bytes.length) };
      offset += bytes.length + padding;
      return tensor(constant, [...keyValues(13, entries), ...integer(14, 1)]);
    });
    const graph = [...this.nodes, text(2, name), ...initializers, ...this.inputs.values(), ...this.outputs];
    const model = [
      integer(1, irVersion),
      text(2, 'limelight'),
      message(7, ...graph),
      message(8, text(1, ''), integer(2, opset)),
      keyValues(14, metadata),
    ].flat();
    assert(byteCount(model) < 2 ** 31, 'onnx: the model exceeds what protobuf can hold');
    return { model, data: apart ? data : null };
  }
}

function tensor({ name, shape, type }: Constant, content: Pieces): Pieces {
  return message(5, ...shape.map((n) => integer(1, n)), integer(2, dataTypes[type]), text(8, name), content);
}

function attribute(name: string, value: Attributes[string]): Pieces {
  if (typeof value === 'number')
    return message(5, text(1, name), integer(3, value), integer(20, attributeTypes.integer));
  return message(5, text(1, name), ...value.map((n) => integer(8, n)), integer(20, attributeTypes.integers));
}

function valueInfo(field: number, name: string, type: DataType, dimensions: Dimensions): Pieces {
  const sizes = dimensions.map((n) => message(1, typeof n === 'number' ? integer(1, n) : text(2, n)));
  const tensorType = message(1, integer(1, dataTypes[type]), message(2, ...sizes));
  return message(field, text(1, name), message(2, tensorType));
}

function keyValues(field: number, entries: Readonly<Record<string, string>>): Pieces {
  return Object.entries(entries).flatMap(([k, v]) => message(field, text(1, k), text(2, v)));
}
