/**
 * The published types need neither @types/node nor the DOM: with one of them this file adds nothing, because
 * TypeScript merges interfaces of one name.
 */
declare global {
  interface AbortSignal {
    readonly aborted: boolean;
    // oxlint-disable-next-line typescript/no-explicit-any -- as both of them declare it
    readonly reason: any;
  }
}

export {};
