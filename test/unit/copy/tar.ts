/** One member of an archive to be made for a test: whatever name, also one that no tar would write. */
export interface Made {
  readonly name: string | Uint8Array;
  readonly type?: 'file' | 'hard' | 'link' | 'char' | 'block' | 'dir' | 'fifo' | 'V' | 'pax';
  readonly to?: string;
  readonly content?: string;
  readonly mode?: number;
}

const flags = {
  file: '0',
  hard: '1',
  link: '2',
  char: '3',
  block: '4',
  dir: '5',
  fifo: '6',
  V: 'V',
  pax: 'x',
} as const;

/** A ustar archive of these members, with the two blocks of zeros at its end. */
export function tarOf(members: readonly Made[]): Buffer {
  return Buffer.concat([...members.flatMap(blocksOf), Buffer.alloc(1024)]);
}

/** An extended header for the member that follows it, as POSIX pax writes it: `LENGTH KEY=VALUE\n`. */
export function pax(key: string, value: string): Made {
  const rest = ` ${key}=${value}\n`;
  const length = rest.length + String(rest.length + 2).length;
  return { name: 'pax', type: 'pax', content: `${length}${rest}` };
}

function blocksOf({ name, type = 'file', to = '', content = '', mode }: Made): readonly Buffer[] {
  const body = Buffer.from(type === 'file' || type === 'pax' ? content : '');
  const header = Buffer.alloc(512);
  const put = (at: number, value: string | Uint8Array): unknown =>
    header.set(Buffer.from(value as string), at);
  put(0, name);
  put(100, octal(mode ?? (type === 'dir' ? 0o755 : 0o644), 7));
  put(108, octal(0, 7));
  put(116, octal(0, 7));
  put(124, octal(body.length, 11));
  put(136, octal(1_700_000_000, 11));
  put(148, ' '.repeat(8));
  put(156, flags[type]);
  put(157, to);
  put(257, 'ustar\x0000');
  if (type === 'char' || type === 'block') {
    put(329, octal(1, 7));
    put(337, octal(3, 7));
  }
  const sum = header.reduce((total, byte) => total + byte, 0);
  put(148, `${octal(sum, 6)}\0 `);
  return [header, body, Buffer.alloc((512 - (body.length % 512)) % 512)];
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}
