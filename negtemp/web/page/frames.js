/**
 * What the server's `frames.py` packs: a JSON head and arrays, read in place.
 */

/** @typedef {Uint8Array | Uint32Array | Float32Array | Float64Array} Numbers */
/** @typedef {{name: string, type: "Uint8Array" | "Uint32Array" | "Float32Array" | "Float64Array", length: number}} Listed */

const TYPES = { Uint8Array, Uint32Array, Float32Array, Float64Array };
const GRAIN = 8;

/**
 * @param {ArrayBuffer} buffer
 * @returns {{head: any, arrays: Record<string, Numbers>}}
 */
export function unframed(buffer) {
  let offset = new DataView(buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, offset - 4)));
  /** @type {Record<string, Numbers>} */
  const arrays = {};
  for (const { name, type, length } of /** @type {Listed[]} */ (head.arrays)) {
    const array = new TYPES[type](buffer, offset, length);
    arrays[name] = array;
    offset += Math.ceil(array.byteLength / GRAIN) * GRAIN;
  }
  return { head, arrays };
}
