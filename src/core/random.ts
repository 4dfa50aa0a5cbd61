import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes as realBytes, randomUUID as realUuid } from 'node:crypto';

/** Source of identifiers. A simulated host with a seed gives the same ones in each run. */
export interface Random {
  /** A UUID of version 4. */
  readonly uuid: () => string;
}

const fixed = new AsyncLocalStorage<Random>();

/** Runs a body whose identifiers come from `random`; undefined: from the kernel. */
export function withRandom<T>(random: Random | undefined, body: () => T): T {
  return random === undefined ? body() : fixed.run(random, body);
}

/** A UUID for a new object. */
export function randomUuid(): string {
  return fixed.getStore()?.uuid() ?? realUuid();
}

/** Bytes for the identifier of a new object, at most 12. Not for keys. */
export function randomId(bytes: number): Buffer {
  const random = fixed.getStore();
  if (random === undefined) return realBytes(bytes);
  const digits = random.uuid().replaceAll('-', '');
  // Without the digits that all UUIDs have in common.
  return Buffer.from(`${digits.slice(0, 12)}${digits.slice(20)}`, 'hex').subarray(0, bytes);
}
