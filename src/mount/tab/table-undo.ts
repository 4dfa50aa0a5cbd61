import * as z from 'zod/mini';
import { moveAway, type ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { absolutePath, besideWith, sha256Hex } from '../../file/path.ts';
import { applyEdit, editAt, type LineEdit, lineEdit } from './edit.ts';
import { hashOf, type TableFile } from './table-file.ts';

/** What the undo of an edit needs. */
export const tableUndo = z.strictObject({
  table: z.enum(['fstab', 'crypttab']),
  /** The file itself, not a symbolic link. */
  file: absolutePath,
  /** The new file before the rename. Its name contains the mark. */
  private: absolutePath,
  /**
   * The file that the undo renames into place. The step writes the old table without unreadable
   * lines there for a moment, for findmnt.
   */
  back: absolutePath,
  edit: lineEdit,
  /** Hash of the whole file before and after; null: it did not exist. */
  before: z.nullable(sha256Hex),
  after: sha256Hex,
  /** What the line is about, for messages: "/srv of /etc/fstab". */
  about: z.string(),
});
export type TableUndo = z.infer<typeof tableUndo>;

/** Returns what is journalled before a line of a table is edited. */
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

/** RefusedError unless the private names, which contain the tag of the step, are still free. */
export async function refusePrivate(host: ReadHost, { private: own, back }: TableUndo): Promise<void> {
  for (const path of [own, back])
    if ((await host.stat(path)) !== undefined)
      throw new RefusedError(`${path} exists already`, {
        code: 'exists',
        remedy: moveAway(path),
      });
}
