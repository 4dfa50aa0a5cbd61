import * as z from 'zod/mini';
import { count, text } from './parts.ts';

/** `bofh schema`: every answer that has a schema. `bofh schema VERB`: that schema. */
export const schema = z.union([
  z.array(
    z.strictObject({
      /** A verb, with the option that changes its answer. */
      name: text,
      format: count,
      /** The `$id` of its schema. */
      id: text,
    }),
  ),
  z.record(text, z.unknown()),
]);
