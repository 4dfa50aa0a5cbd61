/** One disk of a guest, as libxl reads its specification. */
export interface Disk {
  /** The target as written: a path, or a value for `script`. Empty for an empty CD drive. */
  readonly target: string;
  /**
   * The device or image on this host, absolute. Missing for an empty drive, and if a script,
   * another domain or a network provides it.
   */
  readonly path?: string;
  /** The hotplug script: `block-drbd` for `drbd:NAME`, whose target is a resource. */
  readonly script?: string;
  readonly format: 'raw' | 'qcow' | 'qcow2' | 'vhd' | 'qed' | 'empty';
  readonly vdev: string;
  readonly access: 'ro' | 'rw';
  readonly devtype: 'disk' | 'cdrom';
}

interface Draft {
  target?: string;
  format?: Disk['format'];
  vdev?: string;
  access?: Disk['access'];
  accessByPosition?: true;
  cdrom?: boolean;
  script?: string;
  backend?: string;
  prefixed?: true;
}

/**
 * Parses a disk specification as libxlu_disk_l.l does (xen.git tools/libs/util, Xen 4.17;
 * xl-disk-configuration(5)): `target,format,vdev,access` by position, `key=value` anywhere, and the
 * old `phy:/dev/vg/lv,xvda,w`. Returns the fault as text if xl rejects it.
 */
export function parseDisk(spec: string): Disk | string {
  const draft: Draft = {};
  let rest = spec;
  while (rest !== '') {
    const step = one(draft, rest);
    if (typeof step === 'string') return `in the disk '${spec}': ${step}`;
    rest = rest.slice(step);
  }
  const disk = finish(draft);
  return typeof disk === 'string' ? `in the disk '${spec}': ${disk}` : disk;
}

type Step = number | string;

const flags =
  /^(?:(?<cdrom>cdrom)|direct-io-safe|(?:no-)?discard|(?:no-)?colo|(?:un)?trusted|grant_usage=[01])(?:,|$)/;
const keyed = /^(?<key>[a-z][-a-z0-9_]*)=(?<value>[^,]*),?/;
const prefix = /^(?:(?<format>raw|qcow2?|vhd)|(?<script>iscsi|e?nbd|drbd)|tapdisk|tap2?|aio|ioemu|file|phy):/;
const positional = /^(?:[^=,]*,|[^=,]+)/;

/** Parses the first parameter: returns its length, or an error text. */
function one(draft: Draft, rest: string): Step {
  const blank = /^[ \t\n]+/.exec(rest)?.[0];
  if (blank !== undefined) return blank.length;
  const flag = flags.exec(rest);
  if (flag !== null) {
    if (flag.groups?.cdrom !== undefined) draft.cdrom = true;
    return flag[0].length;
  }
  // The rest of the text, except for one comma at its end.
  if (rest.startsWith('target='))
    return target(draft, rest.slice('target='.length).replace(/,$/, '')) ?? rest.length;
  const pair = keyed.exec(rest);
  if (pair !== null) return byName(draft, pair.groups ?? {}) ?? pair[0].length;
  const old = prefix.exec(rest);
  if (old !== null) return byPrefix(draft, old.groups ?? {}) ?? old[0].length;
  if (/^[a-z][a-z0-9]*:(?:[^a-z0-9]|$)/.test(rest)) return `unknown prefix ${rest.split(':', 1).join('')}:`;
  const word = positional.exec(rest)?.[0];
  if (word === undefined || rest.charAt(word.length) === '=') return `cannot be understood near '${rest}'`;
  return byPosition(draft, word.replace(/,$/, '')) ?? word.length;
}

function byName(
  draft: Draft,
  { key = '', value = '' }: Record<string, string | undefined>,
): string | undefined {
  switch (key) {
    case 'format':
      return format(draft, value);
    case 'vdev':
      return named(draft, value);
    case 'access':
      return access(draft, value);
    case 'devtype':
      if (value !== 'cdrom' && value !== 'disk') return `unknown devtype ${value}`;
      draft.cdrom = value === 'cdrom';
      return undefined;
    case 'script':
      draft.script = value;
      return undefined;
    case 'backend':
      draft.backend = value;
      return undefined;
    case 'backendtype':
    case 'specification':
    case 'colo-host':
    case 'colo-port':
    case 'colo-export':
    case 'active-disk':
    case 'hidden-disk':
      return undefined;
    default:
      return `unknown parameter ${key}=`;
  }
}

function byPrefix(draft: Draft, groups: Record<string, string | undefined>): string | undefined {
  draft.prefixed = true;
  if (groups.script !== undefined) draft.script = `block-${groups.script}`;
  return groups.format === undefined ? undefined : format(draft, groups.format);
}

function byPosition(draft: Draft, word: string): string | undefined {
  if (draft.target === undefined) return target(draft, word);
  if (draft.prefixed === undefined && draft.format === undefined) {
    if (draft.target !== '' || !word.includes(':')) return format(draft, word);
    draft.format = 'empty';
    return vdev(draft, word);
  }
  if (draft.vdev === undefined) return vdev(draft, word);
  if (draft.accessByPosition !== undefined) return `too many parameters near '${word}'`;
  draft.accessByPosition = true;
  return access(draft, word);
}

function target(draft: Draft, text: string): string | undefined {
  if (draft.target !== undefined && draft.target !== '') return 'the target is given twice';
  draft.target = text;
  return undefined;
}

function format(draft: Draft, text: string): string | undefined {
  const known = (['raw', 'qcow', 'qcow2', 'vhd', 'qed', 'empty'] as const).find(
    (name) => name === (text || 'raw'),
  );
  if (known === undefined)
    return `unknown format ${text} (after the path comes the format: write "path,,vdev")`;
  if (draft.format !== undefined && draft.format !== known) return 'the format is given twice';
  draft.format = known;
  return undefined;
}

function named(draft: Draft, vdev: string): string | undefined {
  if (draft.vdev !== undefined && draft.vdev !== '') return 'the vdev is given twice';
  draft.vdev = vdev;
  return undefined;
}

/** A vdev by position may include its devtype: `hdc:cdrom`. */
function vdev(draft: Draft, text: string): string | undefined {
  const colon = text.lastIndexOf(':');
  if (colon < 0) return named(draft, text);
  const devtype = text.slice(colon + 1);
  if (devtype !== 'cdrom' && devtype !== 'disk') return `unknown devtype ${devtype}`;
  draft.cdrom = devtype === 'cdrom';
  return named(draft, text.slice(0, colon));
}

function access(draft: Draft, text: string): string | undefined {
  if (text === 'r' || text === 'ro') draft.access = 'ro';
  else if (text === 'w' || text === 'rw' || text === '') draft.access = 'rw';
  // "!" would make the block script skip its check for other users; xl no longer accepts it, and
  // bofh never did.
  else return `unknown access ${text}: expected r, ro, w or rw`;
  return undefined;
}

function finish(draft: Draft): Disk | string {
  const cdrom = draft.cdrom === true;
  const path = draft.target ?? '';
  if (path === '' && !cdrom) return 'it has no target';
  if (draft.vdev === undefined || draft.vdev === '') return 'it has no vdev';
  // PROTOCOL:… is for qemu (rbd:pool/image, nbd:host:port): not a path of this host.
  const served = path !== '' && !draft.script && !draft.backend && !/^[^/]*:/.test(path);
  return {
    target: path,
    // libxl prepends /dev to a path that is not absolute (xl-disk-configuration(5)).
    ...(served ? { path: path.startsWith('/') ? path : `/dev/${path}` } : {}),
    ...(draft.script ? { script: draft.script } : {}),
    format: path === '' ? 'empty' : (draft.format ?? 'raw'),
    vdev: draft.vdev,
    access: cdrom ? 'ro' : (draft.access ?? 'rw'),
    devtype: cdrom ? 'cdrom' : 'disk',
  };
}
