/**
 * The shell around a change. It holds the journal's lock (descriptor 3) for as long as the tool runs, which the tool
 * itself does not see: lvm would close it, and a daemon that a tool leaves behind would keep it for ever. The trap
 * keeps the shell while a tool that is signalled with its group cleans up. 4 to 9, which bofh may have inherited,
 * are closed too; dash knows no descriptors of two digits.
 */
const closedButFourth = '3>&- 5>&- 6>&- 7>&- 8>&- 9>&-';
const closed = `${closedButFourth} 4>&-`;
const trap = 'trap : HUP INT TERM';

/** Stages that a pipeline can have: one descriptor each, 5 to 9, for their stderr, and the first has the shell's own. */
export const stageLimit = 6;

/** Runs its words as one command. */
export const singleScript = `${trap}; "$@" ${closed}; exit $?`;

/** The same with a second key, which is descriptor 4 (`secondKeyPath`). */
export const secondKeyScript = `${trap}; "$@" ${closedButFourth}; exit $?`;

/** The descriptor that the exit codes of a pipeline's stages are written to. */
const statusDescriptor = 4;

/** The descriptor of the stderr of stage `i`, counted from 0. */
function errorDescriptor(stage: number): number {
  return stage === 0 ? 2 : statusDescriptor + stage;
}

/**
 * Runs its words as commands joined by pipes; the stages have `lengths` words. Nothing but numbers goes into the text.
 * Each stage has the trap for itself (a subshell starts without its parent's), and writes `STAGE CODE` when it ends.
 */
export function pipelineScript(lengths: readonly number[]): string {
  let used = 0;
  const stages = lengths.map((length, stage) => {
    const words = Array.from({ length }, (_, i) => `"\${${used + i + 1}}"`).join(' ');
    used += length;
    const errors = stage === 0 ? '' : ` 2>&${errorDescriptor(stage)}`;
    return `{ ${trap}; ${words} ${closed}; echo "${stage} $?" >&${statusDescriptor}; }${errors}`;
  });
  return `${trap}; ${stages.join(' | ')}; exit $?`;
}

const statusLine = /^(?<stage>\d+) (?<code>\d+)$/;

/** The exit code of each stage; undefined where none was written, for the stage was killed. */
export function pipelineStatuses(text: string, stages: number): readonly (number | undefined)[] {
  const codes = new Map<number, number>();
  for (const line of text.split('\n').slice(0, -1)) {
    const groups = statusLine.exec(line)?.groups;
    // A line cut short by a full disk, or one without its newline: that stage has no code, which its caller reports.
    if (groups === undefined) continue;
    codes.set(Number(groups.stage), Number(groups.code));
  }
  return Array.from({ length: stages }, (_, stage) => codes.get(stage));
}
