import * as z from 'zod/mini';
import { text } from './parts.ts';

/** The JSON answer of every failed command; the exit code is that of the process. */
export const failure = z.strictObject({
  error: z.strictObject({
    /** Of the error: `RefusedError`. */
    class: text,
    /** What failed, and why. */
    failed: text,
    /** The state of the host. */
    host: text,
    /** What to do next, often a command. */
    next: z.exactOptional(text),
    /** Refusals, steps, objects left untouched. */
    details: z.readonly(z.array(text)),
    exitCode: z.int(),
  }),
});
