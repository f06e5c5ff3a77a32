package grammar

// formats are patterns of formats that are written where a schema has no pattern of its own. JSON Schema leaves to each side whether it takes
// "format" for more than a description: those who read a date as a date are the reason to do so here. Not all that a format allows is
// written, and names that are not listed say nothing.
var formats = map[string]string{
	"date":      `^` + datePattern + `$`,
	"time":      `^` + timePattern + `$`,
	"date-time": `^` + datePattern + `T` + timePattern + `$`,
	"duration":  `^P(\d{1,4}D(T\d{1,2}H(\d{1,2}M)?)?|T(\d{1,4}H(\d{1,2}M)?(\d{1,2}S)?|\d{1,4}M(\d{1,2}S)?|\d{1,4}S))$`,
	"email":     `^[A-Za-z0-9]+([._+-][A-Za-z0-9]+)*@` + hostPattern + `$`,
	"ipv4":      `^(` + bytePattern + `\.){3}` + bytePattern + `$`,
	"uri":       `^[a-z][a-z0-9+.-]{1,15}://(` + hostPattern + `|localhost|(` + bytePattern + `\.){3}` + bytePattern + `)(:[1-5]?\d{1,4})?(/[A-Za-z0-9_.~!$&'()*+,;=:@-]*)*(\?[A-Za-z0-9_.~!$&'()*+,;=:@/?-]*)?(#[A-Za-z0-9_.~!$&'()*+,;=:@/?-]*)?$`,
	"uuid":      `^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`,
	"uuid1":     `^[0-9a-f]{8}-[0-9a-f]{4}-1[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`,
	"uuid3":     `^[0-9a-f]{8}-[0-9a-f]{4}-3[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`,
	"uuid4":     `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`,
	"uuid5":     `^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`,
}

// maxFormatted is the maxLength from which on formats say nothing: their patterns have many states, and each would be there for every length.
const maxFormatted = 256

const (
	hostPattern = `([A-Za-z0-9]+(-[A-Za-z0-9]+)*\.)+[A-Za-z]{2,24}`
	bytePattern = `(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)`
	// datePattern is a day of the years from 1000 to 9999; the 29th of February only in leap years.
	datePattern = `([1-9]\d{3}-((0[13578]|1[02])-(0[1-9]|[12]\d|3[01])|(0[469]|11)-(0[1-9]|[12]\d|30)|02-(0[1-9]|1\d|2[0-8]))|` +
		`([1-9]\d(0[48]|[2468][048]|[13579][26])|([2468][048]|[13579][26])00)-02-29)`
	timePattern = `([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)`
)
