import * as z from 'zod/mini';
import { text } from './parts.ts';

/** `bofh init` */
export const init = z.strictObject({
  /** The site file that was written. */
  file: text,
  settings: z.array(
    z.strictObject({
      name: text,
      /** null: omitted, so that the default applies. */
      value: z.union([text, z.array(text), z.null()]),
      /** The reason: the state of the host. */
      why: text,
    }),
  ),
  /** For `bofh vm create --source`. */
  sources: z.array(text),
});

export type Init = z.infer<typeof init>;
