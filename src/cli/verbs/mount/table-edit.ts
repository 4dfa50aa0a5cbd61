import type { Ensured } from '../../../atomic/ensure.ts';
import { UsageError } from '../../../core/errors.ts';
import { optionsIn, refuseSecrets } from '../../../mount/index.ts';
import type { Answer } from '../../output/answer.ts';
import type { TableEdit } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { changeOrEnsure } from '../../runtime/ensure.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { listRead } from '../../runtime/verb.ts';

interface Edited {
  readonly file: string;
  readonly line: string | null;
}

/** Edits one line of fstab or crypttab; the answer contains the command that makes systemd read it. */
export async function editTable(
  runtime: Runtime<TableEdit>,
  create: () => Promise<Edited>,
  { ensure }: { readonly ensure?: (() => Promise<Ensured<Edited>>) | undefined } = {},
): Promise<number> {
  const next = 'systemctl daemon-reload';
  return changeOrEnsure(runtime, ensure !== undefined, {
    create,
    ensure: ensure ?? (async () => ({ value: await create(), changed: true })),
    answer: ({ file, line }): Answer<TableEdit> => ({
      data: { file, line, next },
      lines: [
        line === null ? `removed the line from ${file}` : `${file} has the line: ${printable(line)}`,
        `systemd reads it at the next boot, or after: ${next}`,
      ],
    }),
  });
}

/** For `read`: the options field of a line. Refuses passwords before the typed line is logged. */
export const optionsField = listRead((text) => {
  const options = [...optionsIn(text)];
  refuseSecrets(options);
  return options;
});

/** Throws UsageError unless an option names a field to change. */
export function refuseNoChange(fields: object, options: string): void {
  if (Object.keys(fields).length === 0)
    throw new UsageError('no field to change', { remedy: `give ${options}` });
}
