import type { Logger } from 'pino';
import type { LogLevel } from './settings.ts';
import type { Terminal } from './terminal.ts';
import { messageOf, printable } from '../output/text.ts';

type Facts = Readonly<Record<string, unknown>>;

/** The log on stderr: a constant sentence and its facts. */
export interface Log {
  debug(message: string, facts?: Facts): void;
  info(message: string, facts?: Facts): void;
  warn(message: string, facts?: Facts): void;
  error(message: string, facts?: Facts): void;
  /** Resolves when everything that was logged is written. */
  flush(): Promise<void>;
}

const order: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent'];

/** The log of this process. pino is loaded by the first line that is written: most commands log nothing. */
export function openLog(level: LogLevel, terminal: Terminal): Log {
  let logger: Logger | undefined;
  let loading: Promise<void> = Promise.resolve();
  let failed = false;
  const load = async (): Promise<Logger> => (logger ??= await openPino(level, terminal));
  // A log that cannot be loaded must not end what it would tell of.
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

/** JSON lines where a program reads them; on a terminal a line for people, above the live one. */
async function openPino(level: LogLevel, terminal: Terminal): Promise<Logger> {
  const { pino, destination } = await import('pino');
  const options = { level, base: null, timestamp: () => `,"time":"${new Date().toISOString()}"` };
  if (!terminal.live) return pino(options, destination({ dest: 2, sync: true }));
  return pino(options, { write: (json: string) => terminal.line(forPeople(json)) });
}

function forPeople(json: string): string {
  const { level, time: _, msg, ...facts } = JSON.parse(json) as Record<string, unknown>;
  const name = { 20: 'debug', 30: 'info', 40: 'warning', 50: 'error' }[Number(level)] ?? String(level);
  const words = Object.entries(facts).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return [`bofh: ${name}: ${String(msg)}`, ...words].join(' ');
}
