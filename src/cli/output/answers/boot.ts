import * as z from 'zod/mini';
import { text } from './parts.ts';

/** `bofh boot install`, `remove` and `status` */
export const bootUnits = z.array(
  z.strictObject({
    unit: text,
    file: text,
    /**
     * `outdated`: created by `bofh boot install` of another bofh. `foreign`: edited, or not created
     * by bofh.
     */
    state: z.enum(['absent', 'installed', 'outdated', 'foreign']),
    /** `on-failure`: started when recovery fails, and never enabled. */
    atBoot: z.enum(['enabled', 'disabled', 'on-failure']),
  }),
);

export type BootUnits = z.infer<typeof bootUnits>;
