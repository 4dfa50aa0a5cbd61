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
  /** Called when the journal exists, before the act of the first step. */
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
  /** Lines that are written with the next intent, because they have no meaning without one. */
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

  /** Journals once for each host that the sequence may reserve objects there. */
  enter(own: Frame, host: string, reach: unknown): Promise<Journal> {
    const entered =
      this.#entered.get(host) ??
      this.announce(own, { t: 'host', host, reach }).catch((error: unknown) => {
        // The failure may be that of one scope; the next call checks its own scope.
        this.#entered.delete(host);
        throw error;
      });
    this.#entered.set(host, entered);
    return entered;
  }

  /**
   * Writes a line; it is durable when this resolves. Throws if the frame has failed, or needs an object that
   * is being undone.
   */
  async announce(own: Frame, intent: Announced): Promise<Journal> {
    if (this.#creation === undefined) {
      // If this fails, no journal exists, and the sequence ends.
      const lines = (): readonly Line[] => {
        const all = this.#allow(own, intent);
        this.#queued.length = 0;
        return all;
      };
      const { stop: _, created, ...begin } = this.#of;
      this.#creation = createJournal(this.#engine, begin, lines).then(async (journal) => {
        this.journal = journal;
        try {
          await created?.(journal);
        } catch (error) {
          // The step does not act, so nothing of it is left.
          if (intent.t === 'intent') append(journal, [{ t: 'undone', n: intent.n }]);
          throw error;
        }
        return journal;
      });
      return await this.#creation;
    }
    const journal = await this.#creation;
    const lines = this.#allow(own, intent);
    append(journal, lines);
    // Only after the write: otherwise a failed write would lose the lines of the scopes.
    this.#queued.splice(0, lines.length - 1);
    return journal;
  }

  /** Returns the lines of an intent. The last check is in the same synchronous call as the write. */
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
