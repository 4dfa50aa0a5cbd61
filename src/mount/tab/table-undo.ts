import * as z from 'zod/mini';
import type { ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { absolutePath, besideWith, sha256Hex } from '../../file/path.ts';
import { applyEdit, editAt, type LineEdit, lineEdit } from './edit.ts';
import { hashOf, type TableFile } from './table-file.ts';

/** What taking the edit of a table back needs. */
export const tableUndo = z.strictObject({
  table: z.enum(['fstab', 'crypttab']),
  /** The file itself: no symbolic link. */
  file: absolutePath,
  /** The new file before it has its name, and the one that the undo makes. Their names bear the mark. */
  private: absolutePath,
  back: absolutePath,
  edit: lineEdit,
  /** Of the whole file before and after; null: there was none. */
  before: z.nullable(sha256Hex),
  after: sha256Hex,
  /** What the line is about: "/srv of /etc/fstab". */
  about: z.string(),
});
export type TableUndo = z.infer<typeof tableUndo>;

/** All that is journalled before a line of a table is edited. */
export function planEdit(
  { file, content }: TableFile,
  {
    mark,
    about,
    table,
    ...change
  }: Pick<LineEdit, 'index' | 'before' | 'after'> &
    Pick<TableUndo, 'table' | 'about'> & { readonly mark: string },
): TableUndo {
  const edit = editAt(content ?? '', change);
  return {
    table,
    file,
    private: besideWith(file, mark),
    back: besideWith(file, `back-${mark}`),
    edit,
    before: content === undefined ? null : hashOf(content),
    after: hashOf(applyEdit(content ?? '', edit)),
    about,
  };
}

/** Nobody made it meanwhile: a private name bears our mark. */
export async function refusePrivate(host: ReadHost, { private: own, back }: TableUndo): Promise<void> {
  for (const path of [own, back])
    if ((await host.stat(path)) !== undefined)
      throw new RefusedError(`${path} exists already`, { remedy: 'see what it is, and move it away' });
}
