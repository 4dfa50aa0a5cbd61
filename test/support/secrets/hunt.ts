import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';

/** Where a secret was found. */
export interface Find {
  /** `cmdline`, `environ`, `file`, `log`, `error` … */
  readonly where: string;
  readonly what: string;
}

/** Looks for secrets, and remembers where it found one. */
export interface Hunt {
  readonly finds: readonly Find[];
  /** How often a program was stopped at its beginning, and everything searched while it stood there. */
  readonly stops: () => number;
  /** In a text, or in anything that is written as one: an error with all that hangs on it. */
  readonly text: (where: string, value: unknown) => void;
  /** Everywhere, now. */
  readonly everywhere: () => void;
  /** A program in the place of another one: it waits until everything was searched, then is that other one. */
  readonly stopping: (name: string, file: string) => string;
  readonly end: () => void;
}

/**
 * Hunts for secrets in the arguments and the environment of every process of this machine, and in the files below some
 * directories. Each program from `stopping` stands still for it: none is over before it was looked at.
 */
export function hunt(options: {
  readonly secrets: readonly string[];
  /** Every file below is searched; no key file may be there. */
  readonly directories: readonly string[];
  /** A directory of the hunt's own. */
  readonly own: string;
}): Hunt {
  const secrets = options.secrets.map((secret) => Buffer.from(secret));
  const finds: Find[] = [];
  const search = (where: string, what: string, bytes: Uint8Array): void => {
    const held = Buffer.from(bytes);
    if (secrets.some((secret) => held.includes(secret))) finds.push({ where, what });
  };
  const everywhere = (): void => {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)))
      for (const where of ['cmdline', 'environ']) {
        const bytes = contentOf(`/proc/${pid}/${where}`);
        if (bytes !== undefined) search(where, `process ${pid}`, bytes);
      }
    for (const directory of options.directories)
      for (const path of filesBelow(directory)) {
        search('file', path, contentOf(path) ?? new Uint8Array());
        search('file name', path, Buffer.from(path));
      }
    // A key on its way to a program is in a file without a name.
    for (const name of readdirSync('/run').filter((each) => each.startsWith('.bofh')))
      search('file', `/run/${name}`, contentOf(`/run/${name}`) ?? new Uint8Array());
  };
  let stops = 0;
  mkdirSync(options.own, { recursive: true });
  const waiting = setInterval(() => {
    for (const name of readdirSync(options.own).filter((each) => each.endsWith('.waits'))) {
      const go = join(options.own, name.replace('.waits', '.goes'));
      if (existsSync(go)) continue;
      stops += 1;
      everywhere();
      writeFileSync(go, '');
    }
  }, 5);
  return {
    finds,
    stops: () => stops,
    text: (where, value) => {
      const text = typeof value === 'string' ? value : inspect(value, { depth: 20, showHidden: true });
      search(where, text.slice(0, 200), Buffer.from(text));
    },
    everywhere,
    stopping: (name, file) => {
      const path = join(options.own, name);
      const at = `'${options.own}'/$$`;
      writeFileSync(
        path,
        `#!/bin/sh\n: > ${at}.waits\nwhile [ ! -e ${at}.goes ]; do sleep 0.01; done\nexec ${file} "$@"\n`,
      );
      chmodSync(path, 0o755);
      return path;
    },
    end: () => clearInterval(waiting),
  };
}

/** Undefined for a process or file that is gone now, or that only the kernel may read. */
function contentOf(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

function filesBelow(directory: string): readonly string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => join(directory, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true);
}
