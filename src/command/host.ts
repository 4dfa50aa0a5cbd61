import type { Command, Pipeline, ReadCommand } from './command.ts';

/** The result of lstat for a path. */
export interface FileStat {
  readonly kind: 'file' | 'directory' | 'symlink' | 'block' | 'character' | 'other';
  /**
   * Creation time of the inode of a file or directory, in nanoseconds. A later file may get the
   * same inode number, but not the same time. Missing if the filesystem does not record it.
   */
  readonly birth?: string;
  /** Decimal digits: with `xino=on`, overlayfs has numbers that JavaScript would round. */
  readonly inode: string;
  /** `major:minor` of the filesystem that contains the path. */
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

/** Returns the type of a path, with its article, for an error; `gone`: it no longer exists. */
export function kindInWords(stat: FileStat | undefined): string {
  return stat === undefined ? 'gone' : kinds[stat.kind];
}

export interface HostFacts {
  /** /proc/sys/kernel/random/boot_id: another value means that the host has rebooted. */
  readonly boot: string;
  readonly hostname: string;
}

/** Progress of a running change. */
export interface Progress {
  readonly command: { readonly tool: string; readonly argv: readonly string[]; readonly title?: string };
  /** 0 to 1, if the tool reports it. */
  readonly fraction?: number;
  /** The present status line of a user's own program. */
  readonly line?: string;
}

/**
 * A Linux host, read-only. Prepare and look get only this interface, so they cannot change
 * anything. Failed file accesses throw CommandError with tool `file`.
 */
export interface ReadHost {
  /**
   * Empty for the host that bofh runs on; otherwise its name, which is part of the keys of its
   * objects.
   */
  readonly name: string;
  /**
   * Runs a command that only reads, and returns its answer. Throws CommandError if it fails,
   * ToolError if its program is not installed, ParseError if its output could not be parsed.
   */
  run<T>(command: ReadCommand<T>): Promise<T>;
  /**
   * Returns the bytes of a file, and follows a symbolic link. CommandError `not-found` if there is
   * none.
   */
  readFile(path: string): Promise<Uint8Array>;
  /** Returns the names in a directory, sorted. CommandError `not-found` if there is none. */
  readDir(path: string): Promise<readonly string[]>;
  /** Returns the target of a symbolic link, unchanged. */
  readLink(path: string): Promise<string>;
  /** lstat(2). Undefined: the path does not exist. Throws if that is unknown. */
  stat(path: string): Promise<FileStat | undefined>;
  /** Returns the boot id and the host name. */
  facts(): Promise<HostFacts>;
  /**
   * Downloads a file over https into a cache. Defined only for the host that bofh runs on, except
   * in a plan.
   */
  readonly download?: (of: Download) => Promise<void>;
}

/** A file to download, and its checksum. */
export interface Download {
  readonly url: string;
  /** Path of the downloaded file; its directory is created. */
  readonly path: string;
  readonly algorithm: 'sha256' | 'sha512';
  /** In hexadecimal digits, lower case. */
  readonly checksum: string;
  /** Gets the completed part, 0 to 1; undefined if the server does not report the size. */
  readonly onProgress?: (fraction: number | undefined) => void;
  /** Ends the download. The next download continues the received part. */
  readonly signal?: AbortSignal | undefined;
  /** How long the server may send nothing (default: one minute). */
  readonly stallMs?: number;
}

/** A host within a step of a sequence: programs started here outlive this process. */
export interface ChangeHost extends ReadHost {
  /**
   * Runs a command, which may change the host and ends normally even if bofh is killed. Throws
   * CommandError if it fails, ToolError if its program is not installed, ParseError if its output
   * could not be parsed.
   */
  run<T>(command: Command<T>): Promise<T>;
  /**
   * Runs commands at the same time, each reading the output of the one before. Fails if one of them
   * fails.
   */
  pipe<T>(pipeline: Pipeline<T>): Promise<T>;
  /** Creates a new file (O_EXCL) and makes its content durable. */
  writeNew(
    path: string,
    content: Uint8Array | string,
    options: {
      /** Permission bits, not changed by the umask: `0o600`. */
      readonly mode: number;
    },
  ): Promise<FileStat>;
  /** link(2). CommandError `exists` if the new name is taken. */
  link(existing: string, path: string): Promise<void>;
  /**
   * rename(2), which replaces an existing file: use it only onto a name that belongs to the step.
   */
  rename(from: string, to: string): Promise<void>;
  /** unlink(2) of a file, a link or a device node. CommandError `not-found` if there is none. */
  removeFile(path: string): Promise<void>;
  /** mkdir(2). CommandError `exists` if the name is taken. */
  makeDir(
    path: string,
    options: {
      /** Permission bits: `0o700`. */
      readonly mode: number;
      /** Also creates missing directories above it (default: false). */
      readonly parents?: boolean;
    },
  ): Promise<void>;
  /** rmdir(2) of an empty directory. */
  removeDir(path: string): Promise<void>;
  /** fsync of a file or directory. */
  sync(path: string): Promise<void>;
}

/** The parts of a sequence that the changes of a step use. */
export interface StepContext {
  /** Existing directory for the output of changes, mode 0700. */
  readonly outputs: string;
  /**
   * File descriptor of the journal: the shell around a change keeps its lock while the program
   * runs.
   */
  readonly lock: number;
  /** Only for a change of another host: the reservation on that host, and its boot. */
  readonly sequence?: { readonly id: string; readonly token: string; readonly boot: string };
  /** Ends a `stop: 'safe'` change; other changes run to their end. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

export interface Host extends ReadHost {
  /** Returns this host with the ability to make changes for a step. */
  during(step: StepContext): ChangeHost;
}

/** The host that contains the journals. */
export interface LocalHost extends Host {
  /** Effective user id of this process (missing: 0, as on a simulated host). */
  readonly user?: number;
  /**
   * flock(2) on open descriptors: locks all or none, and never waits. Resolves to the index of the
   * first descriptor that another process has locked, or undefined if all are locked now. `from` is
   * the kind of lock to restore when the call fails.
   */
  readonly flock: (
    wanted: readonly {
      readonly fd: number;
      readonly mode: 'shared' | 'exclusive';
      readonly from?: 'shared' | 'exclusive';
    }[],
  ) => Promise<number | undefined>;
}
