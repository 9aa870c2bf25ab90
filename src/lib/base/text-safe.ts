/** Text from the wire, made safe for a terminal: control bytes (C0, DEL, C1) become `·`, so no escape sequence gets through. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: removing control characters is what this is for.
export const printable = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, '·')
