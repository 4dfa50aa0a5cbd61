import { expect } from 'vitest';

/** A text with this in it; vitest's own matcher is of type any. */
export function containing(part: string): unknown {
  return expect.stringContaining(part) as unknown;
}
