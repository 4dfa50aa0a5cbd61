import type { Engine } from '../../atomic/index.ts';
import { commandLine } from '../../command/command.ts';
import { printable } from './text.ts';
import { duration, localTime } from './times.ts';
import type { Terminal } from '../runtime/terminal.ts';

type OnProgress = NonNullable<Engine['onProgress']>;

/** Reports the steps of a running sequence. */
export interface ProgressReport {
  readonly onProgress: OnProgress;
  /** Removes the live line. */
  readonly end: () => void;
}

const redrawMs = 1000;
const plainMs = 10_000;

/**
 * On a terminal, one live line: the progress as a bar, the time and the time left, the step and its
 * program. Elsewhere a line with the time of day for each program, and one every ten seconds with
 * its progress. `silent`: nothing.
 */
export function reportProgress(
  terminal: Terminal,
  { now = Date.now, silent = false }: { readonly now?: () => number; readonly silent?: boolean } = {},
): ProgressReport {
  let running:
    | { readonly text: string; readonly since: number; shownAt: number; fraction?: number }
    | undefined;
  let timer: NodeJS.Timeout | undefined;
  const draw = (): void => {
    if (running === undefined) return;
    const { fraction, since, text } = running;
    const ms = now() - since;
    const elapsed = ms < 1000 ? '' : `${duration(ms)}  `;
    terminal.draw(`${bar(fraction)}${percent(fraction)}${elapsed}${timeLeft(fraction, ms)}${text}`);
  };
  const plain = (): void => {
    if (running === undefined) return;
    running.shownAt = now();
    const at = localTime(new Date(running.shownAt).toISOString());
    terminal.line(`${at}  ${percent(running.fraction)}${running.text}`);
  };
  const onProgress: OnProgress = (step, { command, fraction, line }) => {
    if (silent) return;
    const text = printable(
      `${String(step.n)} ${step.kind}: ${line ?? command.title ?? commandLine(command)}`,
    );
    const fresh = running?.text !== text;
    if (fresh) running = { text, since: now(), shownAt: now() };
    if (running !== undefined && fraction !== undefined) running.fraction = fraction;
    if (terminal.live) {
      timer ??= setInterval(draw, redrawMs).unref();
      draw();
    } else if (fresh || now() - (running?.shownAt ?? 0) >= plainMs) plain();
  };
  return {
    onProgress,
    end: () => {
      clearInterval(timer);
      running = undefined;
      terminal.draw(undefined);
    },
  };
}

const cells = 20;

function bar(fraction: number | undefined): string {
  if (fraction === undefined) return '';
  const full = Math.floor(Math.min(1, fraction) * cells);
  return `[${'#'.repeat(full)}${'.'.repeat(cells - full)}]`;
}

/** Estimates the remaining time from the progress. No text in the first 3 s, below 2 %, or at the end. */
function timeLeft(fraction: number | undefined, ms: number): string {
  if (fraction === undefined || fraction < 0.02 || fraction >= 1 || ms < 3000) return '';
  return `${duration((ms * (1 - fraction)) / fraction)} left  `;
}

function percent(fraction: number | undefined): string {
  return fraction === undefined ? '' : `${String(Math.floor(fraction * 100)).padStart(3)} %  `;
}
