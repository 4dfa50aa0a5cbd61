import * as z from 'zod/mini';
import { text } from './parts.ts';

/** `bofh boot install`, `remove` and `status` */
export const bootUnits = z.array(
  z.strictObject({
    unit: text,
    file: text,
    /** `outdated`: made by `bofh boot install`, for another bofh. `foreign`: edited, or made by somebody else. */
    state: z.enum(['absent', 'installed', 'outdated', 'foreign']),
    /** `on-failure`: started when recovery fails, and never enabled. */
    atBoot: z.enum(['enabled', 'disabled', 'on-failure']),
  }),
);

export type BootUnits = z.infer<typeof bootUnits>;
