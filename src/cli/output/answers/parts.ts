import * as z from 'zod/mini';

export const text = z.string();
export const count = z.int().check(z.minimum(0));

/** With `--ensure`: whether something was created. */
export const ensured = { changed: z.exactOptional(z.boolean()) };
