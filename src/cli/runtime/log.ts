import type { Logger } from 'pino';
import type { LogLevel } from './settings.ts';
import type { Terminal } from './terminal.ts';
import type { Paint } from '../output/style.ts';
import { messageOf, printable } from '../output/text.ts';

type Facts = Readonly<Record<string, unknown>>;

/** The log on stderr: a constant message and its fields. */
export interface Log {
  debug(message: string, facts?: Facts): void;
  info(message: string, facts?: Facts): void;
  warn(message: string, facts?: Facts): void;
  error(message: string, facts?: Facts): void;
  /** Resolves when all log lines are written. */
  flush(): Promise<void>;
}

const order: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent'];

/**
 * Opens the log of this process. pino is loaded with the first line, because most commands log
 * nothing.
 */
export function openLog(level: LogLevel, terminal: Terminal): Log {
  let logger: Logger | undefined;
  let loading: Promise<void> = Promise.resolve();
  let failed = false;
  const load = async (): Promise<Logger> => (logger ??= await openPino(level, terminal));
  // A log that cannot be loaded must not end the command.
  const lost = (error: unknown): void => {
    if (!failed) terminal.line(printable(`bofh: the log cannot be written: ${messageOf(error)}`));
    failed = true;
  };
  const write = (at: Exclude<LogLevel, 'silent'>, message: string, facts: Facts = {}): void => {
    if (order.indexOf(at) < order.indexOf(level)) return;
    if (logger !== undefined) logger[at](facts, message);
    else
      loading = loading
        .then(async () => (await load())[at](facts, message))
        .catch((error: unknown) => lost(error));
  };
  return {
    debug: (message, facts) => write('debug', message, facts),
    info: (message, facts) => write('info', message, facts),
    warn: (message, facts) => write('warn', message, facts),
    error: (message, facts) => write('error', message, facts),
    flush: () => loading,
  };
}

/** Writes JSON lines for programs; on a terminal a text line above the live line. */
async function openPino(level: LogLevel, terminal: Terminal): Promise<Logger> {
  const { pino, destination } = await import('pino');
  const options = { level, base: null, timestamp: () => `,"time":"${new Date().toISOString()}"` };
  if (!terminal.live) return pino(options, destination({ dest: 2, sync: true }));
  return pino(options, { write: (json: string) => terminal.line(forPeople(json, terminal.paint)) });
}

function forPeople(json: string, paint: Paint): string {
  const { level, time: _, msg, ...facts } = JSON.parse(json) as Record<string, unknown>;
  const name = { 20: 'debug', 30: 'info', 40: 'warning', 50: 'error' }[Number(level)] ?? String(level);
  const words = Object.entries(facts).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  const as = ({ error: 'bad', warning: 'warning' } as const)[name];
  return [`bofh: ${paint(as, `${name}:`)} ${String(msg)}`, ...words].join(' ');
}
