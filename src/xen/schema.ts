import * as z from 'zod/mini';

/** One row of `xl list -v`. */
export interface ListedDomain {
  readonly id: number;
  /** Missing where xl prints `(null)`: the domain has no name yet, or no longer. */
  readonly name?: string;
  /** Not unique: xl starts a second domain with the uuid of a running one (4.17, tried). */
  readonly uuid: string;
  readonly memoryMiB: number;
  readonly vcpus: number;
  /** The six flags as xl prints them: running, blocked, paused, shut down, its reason, dying. */
  readonly flags: string;
  readonly seconds: number;
}

/** The keys of `xl list -l` that bofh uses. Half-built domains are not in it. */
export const longList = z.array(z.object({ domid: z.int().check(z.nonnegative()) }));

const count = z.int().check(z.nonnegative());

/**
 * The keys of `xl list -l` with the resources of a running guest; Domain-0 lacks some of them.
 * Memory is in KiB.
 */
export const longSettings = z.array(
  z.object({
    domid: count,
    config: z.object({
      b_info: z.object({
        max_vcpus: z.exactOptional(count),
        avail_vcpus: z.exactOptional(z.array(count)),
        max_memkb: z.exactOptional(count),
        target_memkb: z.exactOptional(count),
        sched_params: z.exactOptional(
          z.object({ sched: z.exactOptional(z.string()), weight: z.exactOptional(count) }),
        ),
      }),
    }),
  }),
);

const longDisk = z.looseObject({
  vdev: z.string(),
  pdev_path: z.exactOptional(z.string()),
  readwrite: z.exactOptional(count),
});

/** The disks in `xl list -l`. */
export const longDisks = z.array(
  z.object({ domid: count, config: z.object({ disks: z.exactOptional(z.array(longDisk)) }) }),
);

/** A disk in `xl list -l`, with all its keys. */
export type DomainDisk = z.infer<typeof longDisk>;

const longInterface = z.looseObject({
  mac: z.string(),
  bridge: z.exactOptional(z.string()),
  script: z.exactOptional(z.string()),
});

/** The network interfaces in `xl list -l`. */
export const longInterfaces = z.array(
  z.object({ domid: count, config: z.object({ nics: z.exactOptional(z.array(longInterface)) }) }),
);

/** A network interface in `xl list -l`, with all its keys. */
export type DomainInterface = z.infer<typeof longInterface>;

/** A network interface that a running guest gets, or has. */
export interface GivenInterface {
  /** Lower case, with colons. */
  readonly mac: string;
  readonly bridge: string;
  /** The script that connects it (default: that of xl.conf). */
  readonly script?: string;
}

/** A disk that a running guest gets, or has. */
export interface GivenDisk {
  /** Its name in the guest: `xvdc`. */
  readonly vdev: string;
  /** The block device of this host. */
  readonly path: string;
  readonly access: 'ro' | 'rw';
}

/** The resources of a running guest, and their limits. */
export interface GivenResources {
  readonly domid: number;
  /** The target of its balloon driver; the guest may still have another amount. */
  readonly memoryKiB: number;
  readonly maxMemoryKiB: number;
  /** The virtual CPUs that it may use: its kernel decides whether it does. */
  readonly vcpus: number;
  readonly maxVcpus: number;
  /** Undefined if its scheduler has no weights. */
  readonly weight?: number;
  readonly scheduler?: 'credit' | 'credit2';
}

/** The keys of `xl info` that bofh uses, as text. */
export const infoKeys = z.object({
  free_memory: z.string().check(z.regex(/^\d+$/)),
  total_memory: z.string().check(z.regex(/^\d+$/)),
  xen_version: z.string().check(z.minLength(1)),
  xen_caps: z.string(),
  xen_commandline: z.string(),
});

/** The hypervisor's properties. */
export interface XenInfo {
  readonly freeMemoryMiB: number;
  readonly totalMemoryMiB: number;
  readonly xenVersion: string;
  /** Whether guests of type hvm and pvh can run: the processor has virtualization. */
  readonly canVirtualize: boolean;
  /** The hypervisor's own command line. */
  readonly commandLine: string;
}

/** The keys of the JSON that `xl -N create` prints. */
export const dryRun = z.object({ c_info: z.object({ name: z.string(), uuid: z.string() }) });
