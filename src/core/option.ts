import { AsyncLocalStorage } from 'node:async_hooks';

const readers = new AsyncLocalStorage<'console' | 'program'>();

/** Runs a body whose messages are read at the console: they name options of the command line. */
export function atConsole<T>(body: () => T): T {
  return readers.run('console', body);
}

/** Runs a body whose messages a script gets: they name options of the library, as by default. */
export function inProgram<T>(body: () => T): T {
  return readers.run('program', body);
}

const methods = new Map<string, string>();

/** Says by which method a program runs a kind of step. */
export function nameMethod(kind: string, method: string): void {
  methods.set(kind, method);
}

/** A step in a message: its kind at the console (`lvm.lv.create`), its method in a program (`lvm.createLv`). */
export function stepName(kind: string): string {
  return option(kind, methods.get(kind) ?? kind);
}

/** An option in a message: as typed at the console (`--wait 60s`), or as in code (`wait: 60_000`). */
export function option(typed: string, code: string): string {
  return isAtConsole() ? typed : code;
}

/** Returns whether messages are read at the console. */
export function isAtConsole(): boolean {
  return readers.getStore() === 'console';
}
