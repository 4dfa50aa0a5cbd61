import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { sha256 } from './path.ts';

/** A file as text, so that it can be written again here or on another host. */
interface TextFile {
  readonly content: string;
  /** SHA-256 of its bytes, in hexadecimal. */
  readonly sha256: string;
  /** Permission bits. */
  readonly mode: number;
}

/**
 * Reads a file. RefusedError if its bytes are not UTF-8, because such a file could not be restored
 * exactly.
 */
export async function textFile(host: ReadHost, path: string): Promise<TextFile> {
  const [bytes, stat] = [await host.readFile(path), await host.stat(path)];
  const content = Buffer.from(bytes).toString('utf8');
  if (!Buffer.from(content).equals(bytes))
    throw new RefusedError(`${path} is not UTF-8, so bofh cannot write a copy with the same bytes`, {
      remedy: `convert it: iconv --from-code=CHARSET --to-code=UTF-8 --output=NEW ${path}`,
    });
  return { content, sha256: sha256(bytes), mode: stat?.mode ?? 0o644 };
}
