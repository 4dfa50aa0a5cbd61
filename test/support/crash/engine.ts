import * as errors from '../../../src/core/errors.ts';
import * as operation from '../../../src/atomic/operation.ts';
import * as recover from '../../../src/atomic/recovery/recover.ts';
import * as sequence from '../../../src/atomic/sequence/sequence.ts';

/** The modules of an engine: the product's own, or a copy with a bug in it. */
export interface EngineModule {
  readonly errors: typeof errors;
  readonly operation: typeof operation;
  readonly recover: typeof recover;
  readonly sequence: typeof sequence;
}

export const product: EngineModule = { errors, operation, recover, sequence };
