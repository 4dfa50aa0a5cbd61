import type { Command, Pipeline, ReadCommand } from './command.ts';

/** What lstat says of a path. */
export interface FileStat {
  readonly kind: 'file' | 'directory' | 'symlink' | 'block' | 'character' | 'other';
  /**
   * Of a file: when its inode was made, in nanoseconds. A number that has become free is given to the next file; with this
   * the two can be told apart. Missing where the filesystem does not keep it.
   */
  readonly birth?: string;
  /** Decimal digits: overlayfs with `xino=on` has numbers that a JavaScript number would round. */
  readonly inode: string;
  /** `major:minor` of the filesystem that holds it. */
  readonly device: string;
  /** `major:minor` of a device node. */
  readonly node?: string;
  readonly size: number;
  /** Permission bits alone. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
}

export interface HostFacts {
  /** /proc/sys/kernel/random/boot_id: another one means that the host was booted since. */
  readonly boot: string;
  readonly hostname: string;
}

/** How a running change is told to the one who waits. */
export interface Progress {
  readonly command: { readonly tool: string; readonly argv: readonly string[] };
  /** 0 to 1, where the tool tells. */
  readonly fraction?: number;
}

/**
 * A Linux host, to look at. Prepare and look get no more than this, so that they cannot change anything.
 * File accesses that fail throw CommandError with tool `file`.
 */
export interface ReadHost {
  /** Empty for the host that bofh runs on; else its name, which prefixes the keys of its objects. */
  readonly name: string;
  run<T>(command: ReadCommand<T>): Promise<T>;
  readFile(path: string): Promise<Uint8Array>;
  /** Names in a directory, sorted. */
  readDir(path: string): Promise<readonly string[]>;
  readLink(path: string): Promise<string>;
  /** lstat; undefined when there is no such path, an error when that cannot be told. */
  stat(path: string): Promise<FileStat | undefined>;
  facts(): Promise<HostFacts>;
}

/** A host within a step of a sequence: what it starts outlives us. */
export interface ChangeHost extends ReadHost {
  run<T>(command: Command<T>): Promise<T>;
  pipe<T>(pipeline: Pipeline<T>): Promise<T>;
  /** Creates a file that did not exist (O_EXCL) and makes its content durable. */
  writeNew(path: string, content: Uint8Array | string, options: { readonly mode: number }): Promise<FileStat>;
  /** link(2): reason `exists` when the new name is taken. */
  link(existing: string, path: string): Promise<void>;
  /** rename(2): replaces, so only ever onto a name that is ours. */
  rename(from: string, to: string): Promise<void>;
  removeFile(path: string): Promise<void>;
  makeDir(path: string, options: { readonly mode: number; readonly parents?: boolean }): Promise<void>;
  removeDir(path: string): Promise<void>;
  /** fsync of a file or directory. */
  sync(path: string): Promise<void>;
}

/** What the changes of a step need from its sequence. */
export interface StepContext {
  /** Directory for the outputs of changes, 0700; it exists. */
  readonly outputs: string;
  /** The journal's descriptor: the shell around a change holds its lock for as long as the tool runs. */
  readonly lock: number;
  /** Whose reservation a change of another host stands under, and in which boot of it; only such a host asks for it. */
  readonly sequence?: { readonly id: string; readonly token: string; readonly boot: string };
  /** Ends a `stop: 'safe'` change; others are let finish. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

export interface Host extends ReadHost {
  /** The same host, able to change things in the name of a step. */
  during(step: StepContext): ChangeHost;
}

/** The host that a journal is on. */
export interface LocalHost extends Host {
  /**
   * flock(2) on open descriptors, all or none, never waiting. Resolves to the index of the first that another
   * process holds, or undefined when all are locked. `from` is the lock to fall back to when the call fails.
   */
  readonly flock: (
    wanted: readonly {
      readonly fd: number;
      readonly mode: 'shared' | 'exclusive';
      readonly from?: 'shared' | 'exclusive';
    }[],
  ) => Promise<number | undefined>;
}
