import { RefusedError, UsageError } from '../core/errors.ts';
import type { MountRequest } from './commands.ts';
import type { MountOptions } from './options.ts';
import { type HeldMount, untilReleased } from './scoped.ts';

/** A mount request without a directory, which the pool chooses. */
export type PoolRequest = Pick<MountRequest, 'device' | 'type'> & {
  readonly mode?: MountRequest['mode'];
  readonly options?: MountOptions | undefined;
};

/** A mount request of the pool, with the directory and the mode. */
export type PlacedRequest = PoolRequest & Pick<MountRequest, 'path' | 'mode'>;

/** The host functions that a pool needs; `api/mount.ts` binds both to the current `Bofh`. */
export interface Mounter {
  /**
   * Mounts, calls the body with the path, and unmounts when the body ends in any way. Uses a
   * separate sequence with a temporary mount, so that a crash in between is recovered.
   */
  readonly run: <T>(request: PlacedRequest, body: (path: string) => Promise<T>) => Promise<T>;
  readonly isMountpoint: (path: string) => Promise<boolean>;
}

/** Mount points, each used by one caller at a time. */
export class MountPool {
  readonly #paths: readonly string[];
  readonly #taken = new Set<string>();
  readonly #mounter: Mounter;

  /** UsageError for an empty pool, a duplicate path, or one that is not absolute. */
  constructor(paths: readonly string[], mounter: Mounter) {
    const bad = paths.find((path, at) => !path.startsWith('/') || paths.indexOf(path) !== at);
    if (bad !== undefined)
      throw new UsageError(`a mount pool cannot have "${bad}": it needs absolute paths, each only once`);
    if (paths.length === 0) throw new UsageError('a mount pool needs at least one directory');
    this.#paths = [...paths];
    this.#mounter = mounter;
  }

  /**
   * Mounts a device, read-write by default, while the body runs. RefusedError if no directory is
   * free.
   */
  async with<T>(request: string | PoolRequest, body: (path: string) => Promise<T>): Promise<T> {
    const path = await this.#take();
    try {
      return await this.#mounter.run({ mode: 'rw', ...asRequest(request), path }, body);
    } finally {
      this.#taken.delete(path);
    }
  }

  /** Mounts until `release()`: `await using m = await pool.mount('/dev/sda1')`. */
  async mount(request: string | PoolRequest): Promise<HeldMount> {
    return untilReleased((body) => this.with(request, body));
  }

  async #take(): Promise<string> {
    const busy: string[] = [];
    for (const path of this.#paths) {
      // Reserved before the await, so that two concurrent callers cannot get the same directory.
      if (this.#taken.has(path)) {
        busy.push(`${path} (in use by this pool)`);
        continue;
      }
      this.#taken.add(path);
      if (!(await this.#isMountpoint(path))) return path;
      this.#taken.delete(path);
      busy.push(`${path} (another process mounted something there)`);
    }
    throw new RefusedError(`no directory of the mount pool is free: ${busy.join(', ')}`, {
      remedy: 'release a mount of the pool, or give the pool more directories',
    });
  }

  async #isMountpoint(path: string): Promise<boolean> {
    try {
      return await this.#mounter.isMountpoint(path);
    } catch (error) {
      this.#taken.delete(path);
      throw error;
    }
  }
}

function asRequest(request: string | PoolRequest): PoolRequest {
  return typeof request === 'string' ? { device: request } : request;
}
