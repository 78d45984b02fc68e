/** An error of this package: `code` for programs, `message` for people. */
export class CratediggerError extends Error {
  constructor(code, message, detail = "") {
    super(detail && !message.includes(detail) ? `${message} (${detail})` : message);
    this.name = "CratediggerError";
    this.code = code;
    this.detail = detail;
  }
}
