// Reading protobuf in place. Nothing is trusted: a length beyond the end, or a number that is cut off, is an error.
//
// Source: https://protobuf.dev/programming-guides/encoding/

export class ProtoError extends Error {}

const utf8 = new TextDecoder();

/** A place in bytes, and where the message ends that is being read. */
export class Reader {
  wire = 0;

  constructor(
    readonly bytes: Uint8Array,
    public at: number,
    public end: number,
  ) {
    if (end > bytes.length || at > end) throw new ProtoError(`a message ends at ${end}, behind the last byte`);
  }

  /** The number of the next field, or 0 at the end. */
  field(): number {
    if (this.at >= this.end) return 0;
    const tag = this.varint();
    this.wire = tag & 7;
    const field = Math.floor(tag / 8);
    if (field === 0) throw new ProtoError(`field 0 at byte ${this.at}`);
    return field;
  }

  /** Up to 64 bits; beyond 2^53 it is rounded. */
  varint(): number {
    let [value, scale] = [0, 1];
    for (let i = 0; i < 10; i++) {
      if (this.at >= this.end) break;
      const byte = this.bytes[this.at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
    throw new ProtoError(`a number is cut off at byte ${this.at}`);
  }

  /** 64 bits with a sign, exact. */
  int64(): bigint {
    let [value, shift] = [0n, 0n];
    for (let i = 0; i < 10; i++) {
      if (this.at >= this.end) break;
      const byte = this.bytes[this.at++]!;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asIntN(64, value);
      shift += 7n;
    }
    throw new ProtoError(`a number is cut off at byte ${this.at}`);
  }

  /** Moves behind the length, checks it, and yields where the field ends. */
  length(): number {
    const end = this.varint() + this.at;
    if (end > this.end) throw new ProtoError(`a field ends at ${end}, behind its message at ${this.end}`);
    return end;
  }

  /** A message within this one; this reader goes on behind it. */
  message(): Reader {
    const end = this.length();
    const inner = new Reader(this.bytes, this.at, end);
    this.at = end;
    return inner;
  }

  slice(): Uint8Array {
    const end = this.length();
    const part = this.bytes.subarray(this.at, end);
    this.at = end;
    return part;
  }

  text(): string {
    return utf8.decode(this.slice());
  }

  uint32(): number {
    this.need(4);
    const [b, i] = [this.bytes, this.at];
    this.at += 4;
    return (b[i]! | (b[i + 1]! << 8) | (b[i + 2]! << 16) | (b[i + 3]! << 24)) >>> 0;
  }

  /** 64 bits as they stand. */
  uint64(): bigint {
    const low = this.uint32();
    return (BigInt(this.uint32()) << 32n) | BigInt(low);
  }

  double(): number {
    this.need(8);
    const value = new DataView(this.bytes.buffer, this.bytes.byteOffset + this.at, 8).getFloat64(0, true);
    this.at += 8;
    return value;
  }

  skip(): void {
    if (this.wire === 0) this.varint();
    else if (this.wire === 1) this.pass(8);
    else if (this.wire === 2) this.at = this.length();
    else if (this.wire === 5) this.pass(4);
    else throw new ProtoError(`wire type ${this.wire} at byte ${this.at}`);
  }

  private need(count: number): void {
    if (this.at + count > this.end) throw new ProtoError(`a field of ${count} bytes is cut off at byte ${this.at}`);
  }

  private pass(count: number): void {
    this.need(count);
    this.at += count;
  }
}

/** Whether a field has the form that is expected; one that has not is skipped, as protobuf wants it. */
export const [VARINT, FIXED64, BYTES, FIXED32] = [0, 1, 2, 5] as const;
