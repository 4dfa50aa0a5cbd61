import { AsyncLocalStorage } from 'node:async_hooks';

const audience = new AsyncLocalStorage<'console' | 'program'>();

/** Runs a body for the console: messages name options of the command line. */
export function atConsole<T>(body: () => T): T {
  return audience.run('console', body);
}

/** Runs a body for a script: messages name options of the library (the default). */
export function inProgram<T>(body: () => T): T {
  return audience.run('program', body);
}

const methods = new Map<string, string>();

/** Registers the method with which a program runs a kind of step. */
export function nameMethod(kind: string, method: string): void {
  methods.set(kind, method);
}

/**
 * The name of a step in a message: at the console its kind (`lvm.lv.create`), in a program its method
 * (`lvm.createLv`).
 */
export function stepName(kind: string): string {
  return option(kind, methods.get(kind) ?? kind);
}

/** The name of an option in a message: as typed at the console (`--wait 60s`), or as in code (`wait: 60_000`). */
export function option(typed: string, code: string): string {
  return isAtConsole() ? typed : code;
}

/** Returns whether messages are for the console. */
export function isAtConsole(): boolean {
  return audience.getStore() === 'console';
}
