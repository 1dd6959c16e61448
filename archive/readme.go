package archive

// readme is the archive's README.
const readme = `This archive has everything that is kept of KEY.

about.json          who it is about, when it was made, and what could not be decoded
document.json       the data of the game as they are now: each field with its value
versions.json       the older versions of these data that are still kept: when each was
                    written, why and by which server if that is known, and its file
versions/           those versions, the oldest first
purchases.json      what was bought, and what became of it
mail.json           messages that wait to be handled
dead-letters.json   messages that could not be handled
entries.json        everything else that belongs to the player, as it is stored: its name
                    in the database and its file; save slots, marks of what was handled,
                    records. Messages and purchases are there once more.
entries/            those entries, and the older versions of them that are still kept
stores.json         values that the game has stored elsewhere and marked as being about
                    the player, and the other players that they are about
stores/             those values
undecoded/          what could not be decoded, as it is stored

Files that end in .json are text, and open in any editor or browser. Files that end in
.bin are not text.

What was given to everybody at once, such as a compensation, is noted in the field
"mailbox.received" of the document, if the game gives such things.
`
