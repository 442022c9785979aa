/*
 * The last step: record what this script has made, for the linter.
 */
INSERT INTO cnap.made SELECT * FROM cnap.lint_present();
