import { createHash } from 'node:crypto';
import { UsageError } from './errors.ts';

const keyLine =
  /(?:^| )(?<type>ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)|sk-ssh-ed25519@openssh\.com|sk-ecdsa-sha2-nistp256@openssh\.com) (?<blob>[A-Za-z0-9+/]+={0,2})(?: |$)/;

/** The public keys in the text of a `.pub` or `authorized_keys` file. Throws UsageError that never quotes the text. */
export function publicKeys(text: string, where: string): readonly string[] {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.startsWith('#'));
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text))
    throw new UsageError(`${where} is a private key: name the public one, ${where}.pub`);
  for (const [at, line] of lines.entries()) {
    const { type = '', blob = '' } = keyLine.exec(line)?.groups ?? {};
    // The blob begins with its own type, so this detects a key that was cut or mixed up.
    if (type === '' || !Buffer.from(blob, 'base64').subarray(4).toString('latin1').startsWith(type))
      throw new UsageError(`${where}, line ${String(at + 1)}: is not a public key of OpenSSH`);
  }
  if (lines.length === 0) throw new UsageError(`${where} has no public key`);
  return lines;
}

/** A line of authorized_keys as `ssh-keygen -l` shows it: `ed25519 SHA256:… alice@laptop`. */
export function keyInWords(line: string): string {
  const found = keyLine.exec(line);
  const { type = '', blob = '' } = found?.groups ?? {};
  if (found === null) return 'a line without a key';
  const hash = createHash('sha256').update(Buffer.from(blob, 'base64')).digest('base64').replace(/=+$/, '');
  const comment = line.slice(found.index + found[0].length);
  return `${type.replace(/^ssh-/, '')} SHA256:${hash}${comment === '' ? '' : ` ${comment}`}`;
}
