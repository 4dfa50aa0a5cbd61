/**
 * Why no test of `npm run test:remedies` makes an error whose remedy names a command, by the file and the code that
 * makes it, and how many places may have this reason: a new one needs a test, or somebody who has read its remedy,
 * found it right and raised the number.
 */
export const unreached: readonly (readonly [reason: string, most: number, place: RegExp])[] = [
  [
    'another process changed the object between two checks of one step',
    49,
    /changed; nothing|is open as|open as \$\{mapping|has sent the subvolume|which another process runs|concurrently|was replaced or changed while|was replaced while|meanwhile|is another|no longer|was started again|is missing or has changed|is gone|old place|another volume|were edited|was booted before|is being detached|mounted on .* more than once|now names|const again = |is not as it was| now`|nothing was destroyed|is not as large as|was mounted while|while bofh converted it|being edited|is running: it cannot|not in the group|have the same name, UUID or tag|no mount of the btrfs|could not be restored exactly|is a snapshot of .* now|another subvolume is at|any more; nothing|has another size now|is the btrfs/,
  ],
  [
    'a program reported success and did something else',
    37,
    /reported success|has left|did not|does not see|does not report|does not say|does not know|instead of|could not be|succeeded, but|has ended, and|is a snapshot of .*, not of|holds nothing that blkid knows|has no content that blkid knows/,
  ],
  [
    'accounts, packages and services of a real host: the tests in containers',
    6,
    /^(?:account|packages|service)\//,
  ],
  [
    'a DRBD resource that was configured by hand, or that two hosts know differently',
    18,
    /^(?:drbd|replica)\/|^vm\/(?:move|replicas)\.ts|^stack\/replicated\.ts/,
  ],
  [
    'a device with damaged, unclean or unusual content, which only a real tool leaves',
    34,
    /header of .* is damaged|on \$\{beneath\.length\} devices|is a file with a detached header|devices of a btrfs|without the feature 64bit|log of the xfs|has errors: its uuid|not unmounted cleanly|has no serial number|and (?:also )?a partition table|still knows partitions|is on several devices|changes the uuid only of|cannot change its size|^lvm\//,
  ],
  [
    'a mount that is read-only, hidden by another one, or on a loop device that is removed with it',
    5,
    /read-only|only be attached read-only|where another mount hides it|detaches the loop device/,
  ],
  ['a download, or a directory of bofh that others can write to', 4, /^host\/(?:download|ssh\/place)\.ts/],
  [
    'only a program that uses the library can request it',
    8,
    /^(?:copy\/(?:script|image-source)|kernel\/parameter|mount\/paths|xen\/operations\/set)\.ts|has no object|a plan does not/,
  ],
  [
    'a guest or its backup that lost a file',
    5,
    /^vm\/(?:autostart|restore|provision)\.ts|could not be parsed/,
  ],
  ['the test reads what another process prints', 1, /which has its journal/],
];
