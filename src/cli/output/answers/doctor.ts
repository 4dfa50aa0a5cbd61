import * as z from 'zod/mini';
import { text } from './parts.ts';

/** `bofh doctor` */
export const doctor = z.array(
  z.strictObject({
    /** The area: `journal`, `leftover`, `programs` … */
    check: text,
    level: z.enum(['ok', 'warning', 'problem']),
    /** One sentence. */
    says: text,
    /** Commands that show or fix it, in order. */
    run: z.readonly(z.array(text)),
  }),
);

/** `bofh doctor --settings` */
export const doctorSettings = z.array(
  z.strictObject({
    name: text,
    /** null: not set, and without a default. */
    value: z.unknown(),
    /** `override`: set by withSite() in a script. `program`: set by a program. */
    from: z.enum(['default', 'site file', 'environment', 'option', 'override', 'program']),
    /** The file, the variable or the option. */
    where: z.nullable(text),
    description: text,
  }),
);

export type Doctor = z.infer<typeof doctor>;
export type DoctorSettings = z.infer<typeof doctorSettings>;
