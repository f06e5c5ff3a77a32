package distill

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// OwnPrompts returns n different prompts of this project's own, of the kinds that the demo models know: sums in words, functions to write,
// functions to complete, and questions of all sorts. None is in a public data set.
func OwnPrompts(n int, seed uint64) []Prompt {
	random := rand.New(rand.NewPCG(seed, 2))
	var all []Prompt
	known := map[string]bool{}
	for misses := 0; len(all) < n; misses++ {
		kind := len(all) % 8
		if misses > 100 { // this kind is used up; sums are not
			kind = 0
		}
		p := Prompt{Text: writeFunction(random)}
		switch kind {
		case 0, 1, 2:
			p.Text = sum(random)
		case 3, 4:
			p = Prompt{Text: completeFunction(random), Raw: true}
		case 5:
			p.Text = question(random)
		}
		if !known[p.Text] {
			known[p.Text] = true
			all = append(all, p)
			misses = 0
		}
	}
	return all
}

func pick[T any](random *rand.Rand, from []T) T { return from[random.IntN(len(from))] }

var (
	names = []string{"Anna", "Ben", "Carla", "Dev", "Elif", "Farid", "Grace", "Hugo", "Ines", "Jonas", "Kofi", "Lena", "Marta", "Nils", "Olga", "Priya", "Rosa", "Sam", "Tariq", "Vera"}
	goods = []string{"apples", "books", "marbles", "pencils", "cookies", "stamps", "eggs", "tickets", "plants", "bottles", "shirts", "candles", "chairs", "cups", "toys", "flowers"}
	// With a name, goods, and five numbers, the second the smallest.
	sums = []string{
		"%[1]s has %[3]d %[2]s and buys %[4]d boxes with %[5]d %[2]s each. How many %[2]s does %[1]s have now?",
		"%[1]s sells %[3]d %[2]s a day for $%[4]d each. How much money does %[1]s make in %[5]d days?",
		"A shop had %[6]d %[2]s. In the morning %[3]d were sold and in the afternoon %[4]d more than in the morning. How many %[2]s are left?",
		"%[1]s packs %[2]s into bags of %[4]d. There are %[3]d full bags and %[5]d more %[2]s. %[1]s then gives away half of all the %[2]s. How many are left?",
		"Each week %[1]s spends $%[3]d on %[2]s and $%[4]d on bus rides. How much does %[1]s spend in %[5]d weeks?",
		"%[1]s reads %[4]d pages every morning and twice as many every evening. How many pages does %[1]s read in %[3]d days?",
		"There are %[3]d %[2]s on one shelf and %[5]d times as many on another. If %[4]d of them break, how many %[2]s are there?",
		"%[1]s works %[4]d hours a day for $%[3]d an hour. After %[5]d days, %[1]s buys %[2]s for $%[3]d. How much money is left?",
		"%[1]s is %[3]d years old. Her brother is %[4]d years younger and her mother is %[5]d times as old as her brother. How old is the mother?",
		"A train travels %[3]d miles an hour for %[4]d hours and then %[5]d miles more. How many miles does it travel in all?",
		"%[1]s has $%[6]d. A box of %[2]s costs $%[4]d. %[1]s buys %[5]d boxes. How much money does %[1]s have left?",
		"In a class of %[6]d children, %[3]d have %[4]d %[2]s each and the others have %[5]d each. How many %[2]s do they have together?",
	}
)

func sum(random *rand.Rand) string {
	a, b, c := 5+random.IntN(60), 2+random.IntN(8), 3+random.IntN(12)
	text := fmt.Sprintf(pick(random, sums)+"%[7]s", pick(random, names), pick(random, goods), a, b, c, 2*a+b*c+20+random.IntN(80), "")
	return text
}

// task is a function to write: what it does, its name, and parameters.
type task struct{ does, name, params, call, result string }

var tasks = []task{
	{"find the largest number of a list", "largest_number", "numbers", "[4, 9, 2]", "9"},
	{"count the words in a string", "word_total", "text", `"one two three"`, "3"},
	{"check whether a number is prime", "is_prime_number", "n", "7", "True"},
	{"compute the factorial of a number", "factorial_of", "n", "5", "120"},
	{"remove all duplicates from a list", "without_duplicates", "items", "[1, 1, 2]", "[1, 2]"},
	{"merge two dictionaries", "merge_two", "first, second", `{"a": 1}, {"b": 2}`, `{"a": 1, "b": 2}`},
	{"check whether a string is a palindrome", "reads_both_ways", "text", `"level"`, "True"},
	{"sum all even numbers of a list", "even_total", "numbers", "[1, 2, 4]", "6"},
	{"reverse a string", "backwards", "text", `"abc"`, `"cba"`},
	{"find the greatest common divisor of two numbers", "common_divisor", "a, b", "12, 18", "6"},
	{"sort a list of tuples by their second element", "by_second", "pairs", "[(1, 3), (2, 1)]", "[(2, 1), (1, 3)]"},
	{"convert a temperature from celsius to fahrenheit", "to_fahrenheit", "celsius", "100", "212.0"},
	{"return the n-th fibonacci number", "nth_fibonacci", "n", "10", "55"},
	{"find the longest word of a sentence", "longest_of", "sentence", `"a tall tree"`, `"tall"`},
	{"flatten a list of lists", "flat_list", "lists", "[[1], [2, 3]]", "[1, 2, 3]"},
	{"count how often each character occurs in a string", "letter_counts", "text", `"aab"`, `{"a": 2, "b": 1}`},
	{"compute the area of a triangle", "area_of_triangle", "base, height", "4, 3", "6.0"},
	{"check whether two strings are anagrams", "same_letters", "a, b", `"tea", "eat"`, "True"},
	{"rotate a list to the right by k places", "rotate_right", "items, k", "[1, 2, 3], 1", "[3, 1, 2]"},
	{"find the index of an element in a sorted list by binary search", "find_sorted", "items, x", "[1, 3, 5], 3", "1"},
	{"multiply all numbers of a tuple", "product_of", "numbers", "(2, 3, 4)", "24"},
	{"replace spaces in a string by a given character", "fill_spaces", "text, char", `"a b", "_"`, `"a_b"`},
	{"find the second smallest number of a list", "second_smallest", "numbers", "[3, 1, 2]", "2"},
	{"compute the average of a list of numbers", "mean_value", "numbers", "[1, 2, 3]", "2.0"},
	{"split a list into chunks of n", "in_chunks", "items, n", "[1, 2, 3], 2", "[[1, 2], [3]]"},
	{"check whether a list is sorted", "in_order", "items", "[1, 2, 2]", "True"},
	{"find the common elements of two lists", "in_both", "first, second", "[1, 2], [2, 3]", "[2]"},
	{"count the vowels of a string", "vowels_in", "text", `"banana"`, "3"},
	{"convert a decimal number to binary", "binary_digits", "n", "5", `"101"`},
	{"extract all numbers from a string with a regular expression", "numbers_in", "text", `"a1b22"`, `["1", "22"]`},
	{"find the difference between the largest and the smallest value", "value_range", "numbers", "[1, 7, 3]", "6"},
	{"compute the n-th power of each number of a list using a lambda function", "powers_of", "numbers, n", "[1, 2], 2", "[1, 4]"},
	{"find the sum of the digits of a number", "digit_total", "n", "345", "12"},
	{"move all zeroes of an array to its end", "zeroes_last", "numbers", "[0, 1, 2]", "[1, 2, 0]"},
	{"check whether a given year is a leap year", "has_leap_day", "year", "2024", "True"},
	{"find the smallest missing number of a sorted array", "first_gap", "numbers", "[0, 1, 3]", "2"},
}

func writeFunction(random *rand.Rand) string {
	t := pick(random, tasks)
	name := t.name
	if random.IntN(2) == 0 {
		name = fmt.Sprintf("%s_%d", t.name, 1+random.IntN(9))
	}
	return fmt.Sprintf("Write a python function to %s.\nYour code should pass these tests:\nassert %s(%s) == %s", t.does, name, t.call, t.result)
}

func completeFunction(random *rand.Rand) string {
	t := pick(random, tasks)
	does := strings.ToUpper(t.does[:1]) + t.does[1:]
	imports := pick(random, []string{"", "", "from typing import List\n\n\n", "import math\n\n\n", "import re\n\n\n"})
	name := t.name
	if random.IntN(2) == 0 {
		name = fmt.Sprintf("%s_%d", t.name, 1+random.IntN(9))
	}
	return fmt.Sprintf("%sdef %s(%s):\n    \"\"\" %s.\n    >>> %s(%s)\n    %s\n    \"\"\"\n", imports, name, t.params, does, name, t.call, t.result)
}

var (
	requests = []string{
		"Explain %s to a child of ten.", "Write a short story about %s.", "What are the most important things to know about %s?",
		"Write a letter to a friend about %s.", "Give three reasons why people like %s.", "Describe %s in one paragraph.",
		"What would change if there were no %s?", "Write a short poem about %s.", "Compare %s with what came before.",
	}
	subjects = []string{
		"a lighthouse", "rain in spring", "the railway", "a library at night", "bread", "honest mistakes", "winter in the mountains", "bicycles",
		"old maps", "the sea", "public parks", "a long journey", "computers", "small towns", "music", "a garden", "the night sky", "clocks",
	}
)

func question(random *rand.Rand) string {
	return fmt.Sprintf(pick(random, requests), pick(random, subjects))
}
