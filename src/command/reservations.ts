/** The owner of a reservation, as reported to the reserved host. */
export interface Reserving {
  readonly id: string;
  readonly name: string;
  /**
   * Identifies the process that works on the sequence. Recovery uses a new token; then no command
   * with an older one can start.
   */
  readonly token: string;
}

/** The holder of an object that was requested. */
export interface Taken {
  readonly key: string;
  /** The holder as text, with the remedy. */
  readonly by: string;
  readonly remedy: string;
  /** The id of the sequence that has reserved it, if known: its journal may be one of this bofh. */
  readonly sequence?: string;
}

/** A program of the sequence that still runs on the reserved host. */
export interface StillRunning {
  readonly host: string;
  readonly pid: number;
  readonly command: string;
  /** Whether it may be ended half-way. If so, it will be. */
  readonly safe: boolean;
}

/**
 * Reserves objects on a host that does not have the journal: a file on that host, durable before
 * the first act, names the coordinator and the objects, by that host's own keys. ConnectionError if
 * the host is unreachable.
 */
export interface Reservations {
  /**
   * The journal directory of bofh on that host, for the comparison with its reservations. Missing:
   * `reserve` compares them itself.
   */
  readonly journals?: string;
  /** How to reach the host, as JSON, for recovery. */
  readonly reach: unknown;
  /** Reserves more objects for the sequence on that host. Undefined: they are reserved. */
  readonly reserve: (
    of: Reserving,
    keys: { readonly exclusive: readonly string[]; readonly shared: readonly string[] },
  ) => Promise<Taken | undefined>;
  /**
   * Waits until no program of the sequence runs there. Ends programs that may be ended, and from
   * then on lets only programs of `token` start. `missing`: there is no reservation, so nothing may
   * be done there. `given-up`: the signal ended the wait.
   */
  readonly fence: (
    of: Reserving,
    options: {
      readonly signal?: AbortSignal | undefined;
      readonly onWait?: (holder: StillRunning) => void;
    },
  ) => Promise<'fenced' | 'missing' | 'given-up'>;
  /**
   * Removes the reservation; a missing one counts as removed. JournalError while a program of the
   * sequence runs there.
   */
  readonly release: (id: string) => Promise<void>;
}

/**
 * The remedy for a reservation of another host, which can outlive its sequence if this host is
 * restored from a backup.
 */
export function endReservation(
  { id, coordinator }: { readonly id: string; readonly coordinator: string },
  here = 'here',
): string {
  return `finish it on ${coordinator}: bofh recover; only if it has ended there (bofh journal show ${id}), or if ${coordinator} will never come back, ${here}: bofh recover --abandon ${id} --because "…"`;
}
