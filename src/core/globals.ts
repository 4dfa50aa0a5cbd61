/**
 * The published types need neither @types/node nor the DOM: with either this adds nothing, because
 * interfaces of one name are merged.
 */
declare global {
  interface AbortSignal {
    readonly aborted: boolean;
    // oxlint-disable-next-line typescript/no-explicit-any -- as in both of them
    readonly reason: any;
  }
}

export {};
