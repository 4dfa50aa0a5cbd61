/** Returns the arguments of a program that writes bytes to a device, and changes no others. */
export function writeBytesWords(device: string, offset: number, bytes: Uint8Array): readonly string[] {
  const octal = [...bytes].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
  const act = `printf '${octal}' | dd "of=$1" oflag=seek_bytes "seek=$2" conv=nocreat,notrunc,fsync`;
  return ['sh', '-c', act, 'sh', device, String(offset)];
}
