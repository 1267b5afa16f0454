"""Make the name lists of seed_pipelines/generate/vocabulary, once; then seal every list with its SHA-256.

Run by hand with the `vocabulary` dependency group installed: `python infra/vocabulary/build.py`. The lists come from
mimesis (pt-BR), the weights from IBGE's Nomes no Brasil (Censo 2022): published counts for the first names, and below
them counts that fall with the rank. A changed list changes every dataset: raise GENERATOR_VERSION and the goldens.
"""

import hashlib
import sys
import unicodedata
from pathlib import Path

from mimesis import Locale, Person

FOLDER = Path(__file__).parents[2] / "seed_pipelines" / "generate" / "vocabulary"
GIVEN_NAMES, SURNAMES = 400, 700

# Thousands of people, in the order of the published ranking.
COUNTED_GIVEN = {"Maria": 12_200, "José": 5_100, "Ana": 3_900, "João": 3_400, "Antônio": 2_200}
COUNTED_SURNAMES = {
    "Silva": 34_030,
    "Santos": 21_367,
    "Oliveira": 11_709,
    "Souza": 9_197,
    "Pereira": 6_888,
    "Ferreira": 6_226,
    "Lima": 6_095,
    "Alves": 5_757,
    "Rodrigues": 5_429,
    "Costa": 4_861,
}
RANKED_GIVEN = """
Francisco Carlos Paulo Pedro Lucas Luiz Marcos Gabriel Rafael Daniel Marcelo Bruno Eduardo Felipe Rodrigo Manoel
Adriana Juliana Márcia Fernanda Patrícia Aline Sandra Camila Amanda Bruna Jéssica Letícia Júlia Luciana Vanessa
Mariana Vera Vitória Larissa Cláudia Beatriz Luana Rita Sônia Renata Eliane Francisca Mateus André Fernando Fábio
Leonardo Gustavo Guilherme Leandro Tiago Anderson Ricardo Jorge Alexandre Roberto Diego Vítor Sérgio Cláudio Geraldo
Sebastião Miguel Arthur Davi Bernardo Heitor Samuel Vinícius Caio Hugo Otávio Igor Murilo Henrique Renato Rogério
Gilberto Mário Helena Alice Laura Sofia Valentina Isabela Manuela Cecília Lívia Lorena Clara Débora Simone Raquel
Cristiane Priscila Carla Tatiane Rosângela Terezinha Antônia Sueli Rosana Natália Bianca Carolina Gabriela Rafaela
Marina Viviane Daniela Joana Elisa Lúcia Regina Teresa Silvana Marta Tereza Aparecida Edson Wilson Nelson Osvaldo
Raimundo Joaquim Benedito
"""
RANKED_SURNAMES = """
Martins Gomes Ribeiro Carvalho Almeida Soares Lopes Barbosa Fernandes Vieira Nascimento Rocha Dias Moreira Araújo
Nunes Mendes Cardoso Marques Teixeira Ramos Freitas Machado Monteiro Moraes Pinto Cavalcante Moura Correia Castro Melo
Andrade Borges Batista Campos Reis Miranda Farias Barros Duarte Azevedo Pires Cunha Rosa Silveira Leite Sousa Nogueira
Tavares Guimarães Medeiros Santana Conceição Bezerra Macedo Fonseca Coelho Rezende Dantas Brito Xavier Amaral Franco
Siqueira
"""


def main() -> int:
    dataset = Person(Locale.PT_BR)._dataset
    given = {name for names in dataset["names"].values() for name in names}
    _write("given_names.csv", _weighted(COUNTED_GIVEN, RANKED_GIVEN.split(), known=given, size=GIVEN_NAMES))
    _write(
        "surnames.csv", _weighted(COUNTED_SURNAMES, RANKED_SURNAMES.split(), known=dataset["surnames"], size=SURNAMES)
    )
    _seal()
    return 0


def _weighted(counted: dict[str, int], ranked: list[str], *, known: set[str], size: int) -> list[tuple[str, int]]:
    """`size` names: the counted, the ranked, and evenly spaced ones of the others."""
    usable = {unicodedata.normalize("NFC", name) for name in known if name.isalpha() and name.istitle()}
    usable = {name for name in usable if len(name) <= 14 and _folded(name).isascii()}
    leading = list(dict.fromkeys([*counted, *ranked]))
    # Two spellings with one folded form would give one e-mail name to two.
    taken = {_folded(name) for name in leading}
    rest = sorted({_folded(name): name for name in sorted(usable) if _folded(name) not in taken}.values(), key=_folded)
    wanted = size - len(leading)
    spaced = [rest[position * len(rest) // wanted] for position in range(wanted)]
    last = min(counted.values()) * len(counted)
    return [(name, counted.get(name, last // rank)) for rank, name in enumerate([*leading, *spaced], start=1)]


def _folded(name: str) -> str:
    decomposed = unicodedata.normalize("NFD", name.lower())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def _write(file: str, names: list[tuple[str, int]]) -> None:
    lines = ["name,folded,weight", *(f"{name},{_folded(name)},{weight}" for name, weight in names)]
    (FOLDER / file).write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def _seal() -> None:
    lists = sorted(FOLDER.glob("*.csv"))
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in lists]
    (FOLDER / "vocabulary.sha256").write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")


if __name__ == "__main__":
    sys.exit(main())
