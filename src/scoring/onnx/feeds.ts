import { assert } from '../../core/errors.ts';
import type { EncodedColumn } from '../../schema/encoded.ts';
import { rowsIn } from '../input.ts';
import type { ScoringInput } from '../scorer.ts';
import type { OnnxField } from './fieldInputs.ts';

/** An input of an exported graph as a runtime takes it. */
export interface Feed {
  readonly name: string;
  readonly type: 'int32' | 'float32';
  readonly data: Int32Array | Float32Array;
  readonly shape: readonly number[];
}

/** Marks what follows a list's last id. */
const noId = -1;

/** Encoded rows as an exported graph's inputs. A column of one row is repeated where the graph takes one each. */
export function onnxFeeds(fields: readonly OnnxField[], input: ScoringInput): Feed[] {
  return fields.map(({ name, rows }) => {
    const column = input.fields.get(name);
    assert(column !== undefined, `onnx: no field '${name}'`);
    assert(rows === 'each' || rowsIn(column) === 1, `onnx: field '${name}' has more than the one row the graph takes`);
    return feedOf(name, column, rows === 'one' ? 1 : input.rowCount);
  });
}

function feedOf(name: string, column: EncodedColumn, rows: number): Feed {
  const from = (row: number) => (rowsIn(column) === 1 ? 0 : row);
  switch (column.kind) {
    case 'id': {
      const data =
        rowsIn(column) === rows ? column.ids : Int32Array.from({ length: rows }, (_, row) => column.ids[from(row)]);
      return { name, type: 'int32', data, shape: [rows] };
    }
    case 'dense': {
      const { width, values } = column;
      const data = new Float32Array(rows * width);
      for (let row = 0; row < rows; row++)
        data.set(values.subarray(from(row) * width, (from(row) + 1) * width), row * width);
      return { name, type: 'float32', data, shape: [rows, width] };
    }
    case 'ids': {
      const { offsets, ids } = column;
      let length = 1;
      for (let row = 1; row < offsets.length; row++) length = Math.max(length, offsets[row] - offsets[row - 1]);
      const data = new Int32Array(rows * length).fill(noId);
      for (let row = 0; row < rows; row++)
        data.set(ids.subarray(offsets[from(row)], offsets[from(row) + 1]), row * length);
      return { name, type: 'int32', data, shape: [rows, length] };
    }
  }
}
