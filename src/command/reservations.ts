/** Whose a reservation is, as the host that it is on is told. */
export interface Reserving {
  readonly id: string;
  readonly name: string;
  /** Which process works on the sequence: recovery has another one, and nothing that an older one sent begins from then on. */
  readonly token: string;
}

/** Who has an object that was asked for. */
export interface Taken {
  readonly key: string;
  /** In words, with what can be done about it. */
  readonly by: string;
  readonly remedy: string;
}

/** A program of the sequence that still runs there. */
export interface StillRunning {
  readonly host: string;
  readonly pid: number;
  readonly command: string;
  /** It may be ended half-way, and is. */
  readonly safe: boolean;
}

/**
 * What makes a host that the journal is not on know of a sequence: a file there, durable before the first act, that names the
 * coordinator and the objects. The keys are those of that host itself. Unreachable: ConnectionError.
 */
export interface Reservations {
  /** Where the bofh of that host has its journals, which are held against what is reserved. Missing: `reserve` has done so. */
  readonly journals?: string;
  /** How the host is reached, as JSON: what recovery needs to find it again. */
  readonly reach: unknown;
  /** Takes objects in addition to those that the sequence has there. Undefined: they are taken. */
  readonly reserve: (
    of: Reserving,
    keys: { readonly exclusive: readonly string[]; readonly shared: readonly string[] },
  ) => Promise<Taken | undefined>;
  /**
   * Waits until no program of the sequence runs there, ends those that may be ended, and lets only those of `token` begin from
   * now on. `missing`: there is no reservation of it, so that nothing may be done there. `given-up`: at the signal.
   */
  readonly fence: (
    of: Reserving,
    options: {
      readonly signal?: AbortSignal | undefined;
      readonly onWait?: (holder: StillRunning) => void;
    },
  ) => Promise<'fenced' | 'missing' | 'given-up'>;
  /** Takes it away; one that is not there is gone already. JournalError while a program of the sequence runs there. */
  readonly release: (id: string) => Promise<void>;
}
