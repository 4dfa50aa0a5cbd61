import { UsageError } from '../core/errors.ts';
import { stepName } from '../core/option.ts';
import type { EventStep, SequenceEvent } from './events.ts';

/** The logger that a program passes for events: pino, or any logger that takes the same arguments. */
export interface EventLog {
  /** Logs progress within a step. */
  readonly debug: (facts: object, text: string) => void;
  /** Logs each step. */
  readonly info: (facts: object, text: string) => void;
  /** Logs waits and the start of an undo. */
  readonly warn: (facts: object, text: string) => void;
  /** Logs a step that is stuck. */
  readonly error: (facts: object, text: string) => void;
}

/** Returns a listener that logs each event, with its text. */
export function logEvents(log: EventLog): (event: SequenceEvent) => void {
  return (event) => log[levelOf(event)]({ event }, eventText(event));
}

function levelOf(event: SequenceEvent): keyof EventLog {
  if (event.type === 'progress') return 'debug';
  if (event.type === 'stuck') return 'error';
  if (event.type === 'ended') return event.outcome === 'stuck' ? 'error' : 'info';
  return event.type === 'waiting' || event.type === 'undo-started' ? 'warn' : 'info';
}

/** An event as a line of text. */
export function eventText(event: SequenceEvent): string {
  if (!isEvent(event))
    throw new UsageError('eventText: event: must be an event of a sequence, as onEvent gets it');
  return `"${event.name}" (${event.id}): ${what(event)}`;
}

function isEvent(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'type' in value && 'name' in value && 'id' in value;
}

function what(event: SequenceEvent): string {
  switch (event.type) {
    case 'started':
      return 'started';
    case 'step-started':
      return `step ${inWords(event.step)}`;
    case 'progress': {
      const { command, fraction, line } = event;
      const share = fraction === undefined ? '' : ` ${String(Math.floor(fraction * 100))} %`;
      return `step ${String(event.n)} ${stepName(event.kind)}: ${line ?? [command.tool, ...command.argv].join(' ')}${share}`;
    }
    case 'step-done':
      return `step ${inWords(event.step)}: done`;
    case 'waiting':
      return `waits: ${event.for}`;
    case 'undo-started':
      return `undo${scope(event)} started, because ${event.because}`;
    case 'step-undone':
      return `step ${inWords(event.step)}: undone${untouched(event)}`;
    case 'undo-done':
      return `undo${scope(event)} done`;
    case 'stuck':
      return `step ${inWords(event.step)}: stuck, ${event.why}`;
    case 'committed':
      return 'committed';
    case 'step-finished':
      return `step ${inWords(event.step)}: finished${untouched(event)}`;
    case 'ended':
      return `ended: ${event.outcome}${event.message === undefined ? '' : `: ${event.message}`}`;
  }
}

function inWords({ n, kind, host, objects }: EventStep): string {
  const on = host === '' ? '' : ` on ${host}`;
  return `${String(n)} ${stepName(kind)}${on}${objects.length === 0 ? '' : ` (${objects.join(', ')})`}`;
}

function scope({ scope: name }: { readonly scope?: string }): string {
  return name === undefined ? '' : ` of the scope "${name}"`;
}

function untouched({ notOurs }: { readonly notOurs?: string }): string {
  return notOurs === undefined ? '' : `, left untouched: ${notOurs}`;
}
