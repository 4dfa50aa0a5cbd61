import { UsageError } from '../../core/errors.ts';
import { createJournal } from '../journal/create-journal.ts';
import type { Engine } from '../engine.ts';
import { refusal, type Frame } from './frame.ts';
import { append, type Journal } from '../journal/journal-writer.ts';
import type { BeginLine, IntentLine, Line } from '../journal/lines.ts';
import { describe } from '../undo/report.ts';
import { beingUndone } from '../journal/state.ts';
import { stepName } from '../../core/option.ts';

/** A line that must be written before the action that it announces. */
type Announced = IntentLine | (Line & { readonly t: 'host' });

interface Announcing extends Pick<BeginLine, 'id' | 'name' | 'confirm'> {
  readonly stop: AbortSignal;
  /** Called when the journal exists, before the first step acts. */
  readonly created?: ((journal: Journal) => Promise<void>) | undefined;
}

/**
 * Lines that a sequence writes to its journal before it acts; the first of them creates the
 * journal.
 */
export class Announcements {
  journal: Journal | undefined;
  readonly #engine: Engine;
  readonly #of: Announcing;
  #creation: Promise<Journal> | undefined;
  /** Lines that are written with the next intent: without one they mean nothing. */
  readonly #queued: Line[] = [];
  /** Hosts on which objects may be reserved. */
  readonly #entered = new Map<string, Promise<Journal>>();

  constructor(engine: Engine, of: Announcing) {
    this.#engine = engine;
    this.#of = of;
  }

  queue(line: Line): void {
    this.#queued.push(line);
  }

  /** Once for each host. */
  enter(own: Frame, host: string, reach: unknown): Promise<Journal> {
    const entered =
      this.#entered.get(host) ??
      this.announce(own, { t: 'host', host, reach }).catch((error: unknown) => {
        // It may be the signal of one scope; the next call checks its own.
        this.#entered.delete(host);
        throw error;
      });
    this.#entered.set(host, entered);
    return entered;
  }

  /**
   * Durable when this resolves. Throws if the frame has failed, or needs an object that is being
   * undone.
   */
  async announce(own: Frame, intent: Announced): Promise<Journal> {
    if (this.#creation === undefined) {
      // If this fails there is no journal, and the sequence ends.
      const lines = (): readonly Line[] => {
        const all = this.#allow(own, intent);
        this.#queued.length = 0;
        return all;
      };
      const { stop: _, created, ...begin } = this.#of;
      this.#creation = createJournal(this.#engine, begin, lines).then(async (journal) => {
        this.journal = journal;
        await created?.(journal);
        return journal;
      });
      return await this.#creation;
    }
    const journal = await this.#creation;
    const lines = this.#allow(own, intent);
    append(journal, lines);
    // Only now: if an intent could not be written, the scopes around it would be lost.
    this.#queued.splice(0, lines.length - 1);
    return journal;
  }

  /** The lines of an intent. The last check happens in the same synchronous call as the write. */
  #allow(own: Frame, intent: Announced): readonly Line[] {
    const refused = refusal(own, this.#of.stop);
    if (refused !== undefined) throw refused;
    if (intent.t === 'host') return [...this.#queued, intent];
    const undoing = this.journal === undefined ? undefined : beingUndone(this.journal.state, intent);
    if (undoing === undefined) return [...this.#queued, intent];
    throw new UsageError(
      `${stepName(intent.kind)} works on ${describe(undoing)}, which a failed scope is undoing now: await that scope first`,
    );
  }
}
