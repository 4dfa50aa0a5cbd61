/** The engine alone, without a driver: published as `bofh/atomic`. */
import '../core/globals.ts';
export {
  AtomicOperationSequence,
  type SequenceOptions,
  type Steps,
  type Temporary,
} from './sequence/sequence.ts';
export {
  deferred,
  operation,
  type AnyOperation,
  type Claims,
  type DeferredSpec,
  type DeviceKeys,
  type Key,
  type LaterSpec,
  type Look,
  type Operation,
  type OperationSpec,
} from './operation.ts';
export { withReverse, type Callable, type Reverse, type Reversible } from './sequence/reverse.ts';
export type { Schema } from './schema.ts';
export type { Engine, Signals } from './engine.ts';
export type { EventStep, SequenceEventBody, SequenceEvent } from './events.ts';
export type { Place } from './place.ts';
