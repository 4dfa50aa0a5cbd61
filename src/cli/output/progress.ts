import type { Engine } from '../../atomic/index.ts';
import { commandLine } from '../../command/command.ts';
import { printable } from './text.ts';
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
 * On a terminal, one live line: the step, its program, the progress, the seconds. Elsewhere a plain
 * line for each program, and one every ten seconds with its progress; `silent`: none.
 */
export function reportProgress(
  terminal: Terminal,
  { now = Date.now, silent = false }: { readonly now?: () => number; readonly silent?: boolean } = {},
): ProgressReport {
  let running: { readonly text: string; readonly since: number; told: number; fraction?: number } | undefined;
  let timer: NodeJS.Timeout | undefined;
  const draw = (): void => {
    if (running === undefined) return;
    const seconds = Math.floor((now() - running.since) / 1000);
    const elapsed = seconds === 0 ? '' : `${seconds} s  `;
    terminal.draw(`${percent(running.fraction)}${elapsed}${running.text}`);
  };
  const plain = (): void => {
    if (running === undefined || silent) return;
    running.told = now();
    terminal.line(`${percent(running.fraction)}${running.text}`);
  };
  const onProgress: OnProgress = (step, { command, fraction }) => {
    const text = printable(`${String(step.n)} ${step.kind}: ${commandLine(command)}`);
    const fresh = running?.text !== text;
    if (fresh) running = { text, since: now(), told: now() };
    if (running !== undefined && fraction !== undefined) running.fraction = fraction;
    if (terminal.live) {
      timer ??= setInterval(draw, redrawMs).unref();
      draw();
    } else if (fresh || now() - (running?.told ?? 0) >= plainMs) plain();
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

function percent(fraction: number | undefined): string {
  return fraction === undefined ? '' : `${String(Math.floor(fraction * 100)).padStart(3)} %  `;
}
