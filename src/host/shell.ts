/**
 * The shell around a change. It holds the journal's lock (descriptor 3) for as long as the tool runs, which the tool
 * itself does not see: lvm would close it, and a daemon that a tool leaves behind would keep it for ever. The trap
 * keeps the shell while a tool that is signalled with its group cleans up. 4 to 9, which bofh may have inherited,
 * are closed too; dash knows no descriptors of two digits.
 */
const closedButFourth = '3>&- 5>&- 6>&- 7>&- 8>&- 9>&-';
const closed = `${closedButFourth} 4>&-`;
const trap = 'trap : HUP INT TERM';

/**
 * Before the tool starts, the shell writes its name ($0), the boot and its own line of proc_pid_stat(5) into the file that is
 * its first word: its session, by which the tool is found when this shell alone is killed. It empties the file when the tool has
 * ended, because a daemon that the tool leaves behind is not waited for. A full disk must not keep an undo from running: then
 * there is no record.
 */
const record =
  '{ read -r boot </proc/sys/kernel/random/boot_id; read -r stat </proc/self/stat; printf "%s\\n" "$0 $boot $stat" >"$1"; } 2>/dev/null; session=$1; shift';
const ended = '{ printf "" >"$session"; } 2>/dev/null; exit $code';

/** Stages that a pipeline can have: one descriptor each, 5 to 9, for their stderr, and the first has the shell's own. */
export const stageLimit = 6;

/** Runs its words, after the file that says its session, as one command. */
export const singleScript = `${trap}; ${record}; "$@" ${closed}; code=$?; ${ended}`;

/** The same with a second key, which is descriptor 4 (`secondKeyPath`). */
export const secondKeyScript = `${trap}; ${record}; "$@" ${closedButFourth}; code=$?; ${ended}`;

/** The descriptor that the exit codes of a pipeline's stages are written to. */
const statusDescriptor = 4;

/** The descriptor of the stderr of stage `i`, counted from 0. */
function errorDescriptor(stage: number): number {
  return stage === 0 ? 2 : statusDescriptor + stage;
}

/**
 * Runs its words, after the file that says its session, as commands joined by pipes; the stages have `lengths` words. Nothing
 * but numbers goes into the text. Each stage has the trap for itself (a subshell starts without its parent's), and writes `STAGE CODE` when it ends.
 */
export function pipelineScript(lengths: readonly number[]): string {
  let used = 0;
  const stages = lengths.map((length, stage) => {
    const words = Array.from({ length }, (_, i) => `"\${${used + i + 1}}"`).join(' ');
    used += length;
    const errors = stage === 0 ? '' : ` 2>&${errorDescriptor(stage)}`;
    return `{ ${trap}; ${words} ${closed}; echo "${stage} $?" >&${statusDescriptor}; }${errors}`;
  });
  return `${trap}; ${record}; ${stages.join(' | ')}; code=$?; ${ended}`;
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
