/** A command that a remedy tells to type. */
export interface Advice {
  readonly words: readonly string[];
  /** It has a word that only the reader knows, such as DEVICE. */
  readonly open: boolean;
}

const programs = new Set([
  ...[
    'bofh',
    'lvs',
    'vgs',
    'pvs',
    'lvcreate',
    'lvremove',
    'lvrename',
    'lvchange',
    'lvconvert',
    'lvextend',
    'lvreduce',
  ],
  ...[
    'vgchange',
    'vgextend',
    'vgreduce',
    'vgrename',
    'vgck',
    'vgsplit',
    'vgmerge',
    'vgcfgrestore',
    'vgimportclone',
  ],
  ...[
    'pvscan',
    'pvcreate',
    'pvremove',
    'pvmove',
    'pvresize',
    'pvchange',
    'pvck',
    'dmsetup',
    'losetup',
    'blkid',
    'wipefs',
  ],
  ...[
    'lsblk',
    'blockdev',
    'fdisk',
    'sfdisk',
    'parted',
    'partprobe',
    'partx',
    'mount',
    'umount',
    'findmnt',
    'fuser',
    'lsof',
  ],
  ...[
    'swapon',
    'swapoff',
    'cryptsetup',
    'btrfs',
    'btrfstune',
    'e2fsck',
    'tune2fs',
    'dumpe2fs',
    'resize2fs',
    'e2label',
  ],
  ...[
    'xfs_repair',
    'xfs_admin',
    'xfs_growfs',
    'xfs_info',
    'fsck',
    'fsck.vfat',
    'fatlabel',
    'swaplabel',
    'mkswap',
    'drbdadm',
  ],
  ...[
    'drbdsetup',
    'drbdmeta',
    'xl',
    'systemctl',
    'ls',
    'rm',
    'mv',
    'cp',
    'ln',
    'cat',
    'chmod',
    'chown',
    'mkdir',
    'rmdir',
  ],
  ...[
    'readlink',
    'stat',
    'df',
    'du',
    'kill',
    'ps',
    'apt-get',
    'apt',
    'modprobe',
    'ip',
    'ssh',
    'ssh-keygen',
    'ssh-keyscan',
  ],
  ...[
    'chattr',
    'lsattr',
    'dd',
    'truncate',
    'qemu-img',
    'tar',
    'gzip',
    'xz',
    'zstd',
    'mdadm',
    'multipath',
    'udevadm',
    'journalctl',
  ],
  ...[
    'dmesg',
    'touch',
    'find',
    'sync',
    'locale-gen',
    'hostnamectl',
    'timedatectl',
    'kpartx',
    'setfattr',
    'getfattr',
    'sh',
    'man',
  ],
]);

/** Where the prose goes on behind a command: "lvs shows what runs". */
const prose =
  / (?:shows?|tells?|says?|lists?|names|is|does|that|when|once|with the|as root|first|there|here|before|after|makes?|if|until|instead|again|which|for|has|have|to see|on|undoes|run at|removes|closes) .*$/s;

/** What a remedy tells to type: each alternative is a list of commands, to be typed one after the other. */
export function commandsIn(remedy: string): readonly (readonly Advice[])[] {
  const alternatives: Advice[][] = [[]];
  let elsewhere = false;
  for (const { text, isOr } of segments(remedy)) {
    const plain = text
      .trim()
      .replace(
        /^(?:(?:or|and|then|first|run|by|with|use|type|see|also|else|if not|so|now|look first)\b:? )+/g,
        '',
      );
    const [program = ''] = plain.split(' ');
    if (isOr) alternatives.push([]);
    // A command for another host cannot be typed here.
    if (
      /(?:^| )(?:there|on (?!this host|it\b|the device|both)[\w./-]+|on every host[^:]*|on the other host[^:]*)$/.test(
        text.trim(),
      )
    )
      elsewhere = true;
    else if (isOr || text.trim() === 'here' || text.endsWith(' here')) elsewhere = false;
    if (program === 'bofh' && !nouns.has(plain.split(' ')[1] ?? '')) continue;
    if (elsewhere) continue;
    if (!programs.has(program) || (!plain.includes(' ') && program !== 'pvscan')) continue;
    const head = bofhWords.exec(plain)?.[0] ?? program;
    const words = shellWordsOf(head + plain.slice(head.length).replace(prose, '')).map((word) =>
      word.replace(/^(\+?)SIZE$/, '$164m'),
    );
    const open = words.some((word) =>
      /(?:^|[^A-Za-z0-9])[A-Z][A-Z_]+(?:$|[^A-Za-z0-9])|…|\.\.\.|^N$|^K$/.test(` ${word} `),
    );
    alternatives.at(-1)?.push({ words, open });
  }
  return alternatives.filter(({ length }) => length > 0);
}

/** Sentences about bofh contain its name, too: "bofh removes regular files alone". */
const nouns = new Set([
  ...[
    'block',
    'boot',
    'btrfs',
    'completion',
    'crypt',
    'doctor',
    'drbd',
    'filesystem',
    'help',
    'host',
    'init',
    'journal',
    'lvm',
    'map',
  ],
  ...['mount', 'network', 'recover', 'run', 'schema', 'undo', 'vm', 'xen', '--help'],
]);

const bofhWords =
  /^bofh (?:(?:help|init|doctor|recover|run|undo|map|schema)\b|(?:vm base|(?:vm|lvm|btrfs) snapshot|lvm (?:vg|pv|pool)|block (?:loop|image|partition|partition-table)|mount (?:fstab|crypttab)|crypt header|btrfs (?:device|quota|scrub|balance|rotation)|drbd config) \S+|\S+ \S+)/;

/** What stands between separators, outside quotes. */
function segments(text: string): readonly { readonly text: string; readonly isOr: boolean }[] {
  const parts: { text: string; isOr: boolean }[] = [];
  let part = '';
  let quote = '';
  let isOr = false;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at] ?? '';
    if (quote !== '') {
      if (char === quote) quote = '';
      part += char;
      continue;
    }
    if (char === "'" && !/[a-z]$/i.test(part)) quote = char;
    const separator =
      /^(?:(?:[;,] )?(?:or |if not[,:] |otherwise )(?=[a-z])|[;:,] | \(|\)|\. | and (?=[a-z])| then (?=[a-z]))/.exec(
        text.slice(at),
      )?.[0];
    if (separator === undefined || (/^or /.test(separator) && !part.endsWith(' ') && part !== ''))
      part += char;
    else {
      parts.push({ text: part, isOr });
      isOr = /\bor |if not|otherwise/.test(separator);
      part = '';
      at += separator.length - 1;
    }
  }
  return [...parts, { text: part, isOr }];
}

function shellWordsOf(line: string): readonly string[] {
  return [...line.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g)].map(([word]) =>
    word.replaceAll(/'([^']*)'|"([^"]*)"/g, (_, single?: string, double?: string) => single ?? double ?? ''),
  );
}
