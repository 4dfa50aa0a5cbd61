import type { ManualRecovery } from '../../core/errors.ts';
import type { TableUndo } from './table-undo.ts';

/** Manual recovery: removes or restores the line with sed(1). */
export function editRecovery({ file, edit, about, private: own, back }: TableUndo): ManualRecovery {
  const pattern = (line: string): string => line.replace(/[\\.*[\]^$/]/g, String.raw`\$&`);
  const inPlace = (script: string): readonly string[] => [
    'sed',
    '--in-place',
    '--follow-symlinks',
    script,
    file,
  ];
  const { before, after } = edit;
  const lines = [before, after].filter((line) => line !== null);
  const script =
    after === null
      ? `$a\\${(before ?? '').replaceAll('\\', '\\\\')}`
      : before === null
        ? `/^${pattern(after)}$/d`
        : `s/^${pattern(after)}$/${before.replace(/[\\&/]/g, String.raw`\$&`)}/`;
  return {
    what: `the line of ${about}, which was ${before === null ? 'added' : after === null ? 'removed' : 'changed'}`,
    look: [
      ...lines.map((line) => ['grep', '--line-number', '--fixed-strings', '--line-regexp', '--', line, file]),
      ['ls', '-l', own, back],
    ],
    clear: [inPlace(script), ['rm', '--force', own, back]],
  };
}
