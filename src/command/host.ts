import type { Command, Pipeline, ReadCommand } from './command.ts';

/** The result of lstat for a path. */
export interface FileStat {
  readonly kind: 'file' | 'directory' | 'symlink' | 'block' | 'character' | 'other';
  /**
   * Of a file or directory: when its inode was created, in nanoseconds. The next file may get the same
   * inode number; the time distinguishes the two. Missing if the filesystem does not record it.
   */
  readonly birth?: string;
  /** Decimal digits: with `xino=on`, overlayfs has numbers that a JavaScript number would round. */
  readonly inode: string;
  /** `major:minor` of the filesystem that holds it. */
  readonly device: string;
  /** `major:minor` of a device node. */
  readonly node?: string;
  readonly size: number;
  /** Only the permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
}

const kinds: Readonly<Record<FileStat['kind'], string>> = {
  file: 'a file',
  directory: 'a directory',
  symlink: 'a symbolic link',
  block: 'a block device',
  character: 'a character device',
  other: 'a socket or a pipe',
};

/** What a path is, with its article, for an error; `gone`: it does not exist any more. */
export function kindInWords(stat: FileStat | undefined): string {
  return stat === undefined ? 'gone' : kinds[stat.kind];
}

export interface HostFacts {
  /** /proc/sys/kernel/random/boot_id: a different one means that the host rebooted. */
  readonly boot: string;
  readonly hostname: string;
}

/** Progress of a running change. */
export interface Progress {
  readonly command: { readonly tool: string; readonly argv: readonly string[]; readonly title?: string };
  /** 0 to 1, if the tool reports it. */
  readonly fraction?: number;
  /** What a program of the user's own says. */
  readonly line?: string;
}

/**
 * A Linux host, read-only. Prepare and look get only this, so that they cannot change anything.
 * File accesses that fail throw CommandError with tool `file`.
 */
export interface ReadHost {
  /**
   * Empty for the host that bofh runs on; else its name, which is part of the keys of its objects.
   */
  readonly name: string;
  /**
   * Runs a command that only reads, and returns what it found. Throws CommandError if it fails,
   * ToolError if it is not installed, ParseError if its output could not be parsed.
   */
  run<T>(command: ReadCommand<T>): Promise<T>;
  /** Returns the bytes of a file: a symbolic link is followed. CommandError `not-found` if there is none. */
  readFile(path: string): Promise<Uint8Array>;
  /** Returns the names in a directory, sorted. CommandError `not-found` if there is none. */
  readDir(path: string): Promise<readonly string[]>;
  /** Returns where a symbolic link points to, as it is written. */
  readLink(path: string): Promise<string>;
  /** lstat(2); undefined if the path does not exist, an error if that is unknown. */
  stat(path: string): Promise<FileStat | undefined>;
  /** Returns the id of its boot, and its host name. */
  facts(): Promise<HostFacts>;
  /** Downloads a file over https into a cache. Only the host that bofh runs on has it, outside of plans. */
  readonly download?: (of: Download) => Promise<void>;
}

/** A file to download, and its checksum. */
export interface Download {
  readonly url: string;
  /** Where it will be; its directory is created. */
  readonly path: string;
  readonly algorithm: 'sha256' | 'sha512';
  /** In hexadecimal digits, lower case. */
  readonly checksum: string;
  /** 0 to 1, if the server tells the size. */
  readonly onProgress?: (fraction: number | undefined) => void;
  /** Ends it; the received part stays for the next download. */
  readonly signal?: AbortSignal | undefined;
  /** How long the server may send nothing (default: one minute). */
  readonly stallMs?: number;
}

/** A host within a step of a sequence: programs started here outlive this process. */
export interface ChangeHost extends ReadHost {
  /**
   * Runs a command, which may change the host: it ends normally even if bofh is killed. Throws
   * CommandError if it fails, ToolError if it is not installed, ParseError if its output could not
   * be parsed.
   */
  run<T>(command: Command<T>): Promise<T>;
  /** Runs commands side by side, the output of each into the next; fails if one of them fails. */
  pipe<T>(pipeline: Pipeline<T>): Promise<T>;
  /** Creates a file that did not exist (O_EXCL) and makes its content durable. */
  writeNew(
    path: string,
    content: Uint8Array | string,
    options: {
      /** Permission bits, whatever the umask: `0o600`. */
      readonly mode: number;
    },
  ): Promise<FileStat>;
  /** link(2): reason `exists` when the new name is taken. */
  link(existing: string, path: string): Promise<void>;
  /** rename(2): it replaces, so use it only onto a name that belongs to the step. */
  rename(from: string, to: string): Promise<void>;
  /** unlink(2): of a file, a link or a node. CommandError `not-found` if there is none. */
  removeFile(path: string): Promise<void>;
  /** mkdir(2). CommandError `exists` if there is something of that name. */
  makeDir(
    path: string,
    options: {
      /** Permission bits: `0o700`. */
      readonly mode: number;
      /** Also creates those above it that are missing (default: false). */
      readonly parents?: boolean;
    },
  ): Promise<void>;
  /** rmdir(2): of an empty directory. */
  removeDir(path: string): Promise<void>;
  /** fsync of a file or directory. */
  sync(path: string): Promise<void>;
}

/** The parts of a sequence that the changes of a step need. */
export interface StepContext {
  /** Directory for the output of changes, 0700; it exists. */
  readonly outputs: string;
  /** The journal's descriptor: the shell around a change holds its lock for as long as the tool runs. */
  readonly lock: number;
  /**
   * The reservation for a change of another host, and the boot of that host; only such a host uses
   * it.
   */
  readonly sequence?: { readonly id: string; readonly token: string; readonly boot: string };
  /** Ends a `stop: 'safe'` change; others run to their end. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

export interface Host extends ReadHost {
  /** This host, able to make changes for a step. */
  during(step: StepContext): ChangeHost;
}

/** The host that a journal is on. */
export interface LocalHost extends Host {
  /** The effective user id of this process (missing: 0, as on a simulated host). */
  readonly user?: number;
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
