/** The owner of a reservation, as reported to the reserved host. */
export interface Reserving {
  readonly id: string;
  readonly name: string;
  /**
   * The process that works on the sequence. Recovery uses another one, and no command of an older
   * one starts from then on.
   */
  readonly token: string;
}

/** The holder of a requested object. */
export interface Taken {
  readonly key: string;
  /** As text, with what can be done about it. */
  readonly by: string;
  readonly remedy: string;
}

/** A program of the sequence that still runs there. */
export interface StillRunning {
  readonly host: string;
  readonly pid: number;
  readonly command: string;
  /** It may be ended half-way, and will be. */
  readonly safe: boolean;
}

/**
 * Tells a host without the journal about a sequence: a file there, durable before the first act,
 * names the coordinator and the objects. The keys are those of that host itself. Unreachable:
 * ConnectionError.
 */
export interface Reservations {
  /**
   * The journal directory of that host's bofh, which is compared with the reservations. Missing:
   * `reserve` already did so.
   */
  readonly journals?: string;
  /** How the host is reached, as JSON: what recovery needs to find it again. */
  readonly reach: unknown;
  /**
   * Reserves objects in addition to those that the sequence has there. Undefined: they are
   * reserved.
   */
  readonly reserve: (
    of: Reserving,
    keys: { readonly exclusive: readonly string[]; readonly shared: readonly string[] },
  ) => Promise<Taken | undefined>;
  /**
   * Waits until no program of the sequence runs there, ends those that may be ended, and lets only
   * those of `token` start from now on. `missing`: it has no reservation, so nothing may be done
   * there. `given-up`: at the signal.
   */
  readonly fence: (
    of: Reserving,
    options: {
      readonly signal?: AbortSignal | undefined;
      readonly onWait?: (holder: StillRunning) => void;
    },
  ) => Promise<'fenced' | 'missing' | 'given-up'>;
  /**
   * Removes it; a missing one counts as removed. JournalError while a program of the sequence runs
   * there.
   */
  readonly release: (id: string) => Promise<void>;
}
